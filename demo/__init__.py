"""A whole landscape to click through: Sheaf, an upstream, an OIDC app and a SAML app. Start it with: make demo"""
