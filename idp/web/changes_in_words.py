"""What a change of somebody's logins was, and what undoing it will do, in words for pages. Leaves both to idp.services."""

from dataclasses import dataclass

from markupsafe import Markup

from idp.domain.link_change import LinkChange
from idp.domain.user import User
from idp.http.parts import parts
from idp.http.render import sentence, text


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """words: what happened; by: who did it; then: what undoing does; problem: why it cannot be undone, None when it can."""

    change: LinkChange
    words: Markup
    by: Markup
    then: Markup
    problem: Markup | None


def lines_of(user: User) -> list[ChangeLine]:
    """Of the logins of this user, the newest first."""
    return [line_of(change, user) for change in parts().changes.of(user.id) if change.user_id == user.id]


def line_of(change: LinkChange, reader: User | None) -> ChangeLine:
    """reader: who reads it, None when nobody is signed in."""
    refused = None if change.undone_at is not None else parts().changes.undoable(change)
    problem = sentence(refused) if refused is not None else None
    values = _values(change)
    words, then = (text(f"changes.{what}_{change.what}", **values) for what in ("was", "undo"))
    return ChangeLine(change, words, _by(change, reader), then, problem)


def _values(change: LinkChange) -> dict[str, object]:
    labels = {one.id: one.label for one in parts().upstreams.all()}
    side = change.after if change.what == "linked" else change.before
    if "login" in side:
        login = side["login"]
        label = labels.get(login["provider_id"], login["provider_id"])
        return {"login": f"{label} ({login['email']})" if login.get("email") else label}
    named = dict.fromkeys(labels.get(one, one) for one in change.before.get("providers", ()))
    user = parts().users.get(change.user_id)
    return {
        "login": ", ".join(named) or "–",
        "gone": str(change.before.get("username", "")),
        "kept": user.username if user is not None else str(change.after.get("username", "")),
        "other": str(change.after.get("other", "")),
    }


def _by(change: LinkChange, reader: User | None) -> Markup:
    if reader is not None and change.actor == reader.id:
        return text("changes.by_you")
    return text("changes.by_owner" if change.actor == change.user_id else "changes.by_others")
