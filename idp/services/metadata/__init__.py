"""Where the SAML metadata of peers comes from: watched addresses, federations, Metadata Query; when to look, what changed, who agreed.

Leaves what metadata says to idp.saml, and the settings of a service provider to check_sp and sp_settings.
"""
