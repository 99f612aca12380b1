"""Any calendar that speaks CalDAV (RFC 4791), behind `calendar`."""
