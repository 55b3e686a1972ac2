"""The local stage: the deployed template on an embedded AWS engine, without Docker or an account.

Each module says what it stands in for on AWS. `platform.LocalPlatform` starts and stops all of it.
"""
