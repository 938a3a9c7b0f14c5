"""The whole loop: real handlers, real clients, moto behind them, virtual time."""
