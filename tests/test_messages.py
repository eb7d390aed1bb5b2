"""Texts for people: what is collected for translators, and what is found unmarked."""

import pytest

from scripts import messages, unmarked


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("page.html", "<p>Your cart is empty.</p>", ["Your cart is empty."]),
        ("page.html", "<p>{% translate 'Your cart is empty.' %}</p>", []),
        ("page.html", "{% blocktranslate trimmed %}Order <b>{{ number }}</b> is paid.{% endblocktranslate %}", []),
        ("page.html", "<b>{{ total }}</b> · {{ count }} × Artisans Alley", []),
        ("page.html", '<img src="a.png" alt="A blue bowl">', ['alt="A blue bowl"']),
        ("page.html", '<input type="submit" value="Send"><input value="EUR">', ['value="Send"']),
        ("page.html", '<a {% if x %}class="Big words"{% endif %} title="{% translate "Cart" %}">{{ y }}</a>', []),
        ("page.html", '{% include "_box.html" with title="Your orders" icon="box" %}', ["Your orders"]),
        ("page.html", '{% include "_box.html" with title=_("Your orders") %}', []),
        ("page.html", '{{ paid_at|date:"M j, Y" }}{% if status == "PAID" %}{% endif %}', []),
        ("page.html", "{{ n }} {% translate 'item' %}{{ n|pluralize }}", ["n|pluralize (use a plural form)"]),
        ("page.html", "<script>const order = 1;</script><code>pip install</code>", []),
        ("page.html", '<p data-offline="You are offline. Try again.">', ['data-offline="You are offline. Try again."']),
        ("mail.txt", "Hello {{ name }},\n{{ link }}\n", ["Hello …,"]),
        ("mail.txt", "{% translate 'Hello' %}\n{# not for translation #} Hello\n", []),
        ("views.py", 'messages.success(request, "Saved.")', ["Saved."]),
        ("views.py", 'messages.success(request, _("Saved."))', []),
        ("views.py", 'messages.success(request, f"{order} saved.")', ["… saved."]),
        ("views.py", '_(f"{order} saved.")', ["_(f'{order} saved.') (mark a plain string)"]),
        ("views.py", "f\"{_('Saved.')} {n}\"", ["_('Saved.') (mark outside of an f-string)"]),
        ("views.py", 'raise Conflict(f"{name} is sold out.")', ["… is sold out."]),
        ("forms.py", 'forms.CharField(label="Phone")', ["Phone"]),
        ("forms.py", 'forms.CharField(label=_("Phone"), widget=Select(attrs={"class": "Big"}))', []),
        ("models.py", 'class S(TextChoices):\n    NEW = "NEW", "Brand-new"\n    OLD = "OLD", _("Old")', ["Brand-new"]),
        ("services.py", 'raise Conflict("paid already")', ["paid already"]),
        ("approvals.py", 'request(details=[("Reason", why), (f"Parcel {number}", label)])', ["Parcel …", "Reason"]),
        ("approvals.py", 'details = [(_("Reason"), f"{n} units")]', ["… units"]),
        ("inbox.py", 'Outcome(DONE, "Nothing new.", pk)', ["Nothing new."]),
        ("calls.py", 'flag_raise(payment, STUCK, f"{call}: no response.")', ["…: no response."]),
        ("services.py", 'raise ValueError("This is not for people.")', []),
        ("services.py", 'log.warning("Nobody answers at the provider.")', []),
        ("services.py", '"""What this module is for."""\nx = {"a": "Wait for the bank."}', ["Wait for the bank."]),
        ("api.py", 'extend_schema(summary="List all orders")\nraise NotFound("No such order.")', ["No such order."]),
        ("cart.js", 'note.textContent = "Your cart is empty.";', ["Your cart is empty."]),
        ("cart.js", 'document.querySelector("form.buy button"); box.dataset.empty;', []),
    ],
)  # fmt: skip
def test_unmarked_texts_are_found(tmp_path, name, source, found):
    path = tmp_path / name
    path.write_text(source)
    assert [text for _line, text in unmarked.texts(path)] == found


def test_marked_texts_are_collected(tmp_path, monkeypatch):
    page, module = tmp_path / "page.html", tmp_path / "views.py"
    page.write_text(
        "      {% translate 'Cart' %}\n  <p>it's</p>{# Translators: a greeting #}\n"
        "{% translate 'Hello' context 'mail' %}"
        "{% blocktranslate trimmed count n=items %}\n {{ n }} item\n{% plural %}\n"
        " {{ n }} items\n{% endblocktranslate %}"
    )
    module.write_text('title = gettext_lazy("Your " "cart")\nnote = pgettext_lazy("verb", "Order")\n')
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    monkeypatch.setattr(messages, "sources", lambda: [page, module])
    texts = messages.catalog()
    assert {(message.context, message.id) for message in texts if message.id} == {
        (None, "Cart"),
        ("mail", "Hello"),
        (None, ("%(n)s item", "%(n)s items")),
        (None, "Your cart"),
        ("verb", "Order"),
    }
    assert "a greeting" in messages.as_text(texts)
    assert messages.as_text(texts) == messages.as_text(messages.catalog())
