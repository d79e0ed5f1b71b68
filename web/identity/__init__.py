"""Who somebody is: accounts, sessions, second factors, visitors."""
