"""Use cases on ports. No framework, no engine; each class is built once by idp.app and found through idp.http.parts."""
