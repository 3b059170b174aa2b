"""What a service raises when the world moved between looking and doing: whoever decided looks again and decides anew."""


class Overtaken(Exception):  # noqa: N818  (no fault: the other one was faster)
    """Nothing that was to be done has been done."""
