"""The as-run report as a person gets it: read from the ledger, laid out, written as CSV, XLSX, JSON, PDF, BXF, and drawn."""
