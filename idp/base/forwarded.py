"""Which address a request came from when proxies stand in front: the same answer as werkzeug's ProxyFix, also outside of WSGI."""


def forwarded_for(header: str | None, hops: int) -> str | None:
    """The address that the outermost of our own proxies saw. hops: how many of them there are."""
    if not header or not hops:
        return None
    from werkzeug.http import parse_list_header  # 2 MB; many processes need it for nothing else

    seen = parse_list_header(header)
    return seen[-hops] if len(seen) >= hops else None
