"""Pages of a product's pictures: upload, order, describe and remove them."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.catalog.access import require_artisan
from artisans.catalog.models import PictureState, Product
from artisans.catalog.models.picture import MOST
from artisans.catalog.pictures import (
    MAX_MB,
    check_size,
    picture_add,
    picture_describe,
    picture_move,
    picture_remove,
    pictures_of,
)
from artisans.core.errors import Conflict, DomainError, ServiceUnavailable
from artisans.core.forms import LineField

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile


class TextForm(forms.Form):
    """`seen`: the text that the page showed."""

    alt = LineField(label=gettext_lazy("What the picture shows"), max_length=200, required=False)
    seen = forms.CharField(required=False)


class PlaceForm(forms.Form):
    position = forms.IntegerField(min_value=1, max_value=MOST)


@login_required
@require_http_methods(["GET", "POST"])
def picture_list(request: HttpRequest, product_id: UUID) -> HttpResponse:
    """POST uploads files."""
    product = own_product(request, product_id)
    if request.method == "POST":
        upload_all(request, product)
        return redirect(request.path)
    return show(request, product)


def own_product(request: HttpRequest, product_id: UUID) -> Product:
    """Errors: Http404, also for a variant: it shows its product's pictures."""
    return get_object_or_404(Product, pk=product_id, artisan=require_artisan(request), parent=None)


def show(request: HttpRequest, product: Product, **context: Any) -> HttpResponse:
    pictures = pictures_of(product)
    waiting = any(picture.state == PictureState.UPLOADED for picture in pictures)
    context |= {"product": product, "pictures": pictures, "most": MOST, "size": MAX_MB, "is_waiting": waiting}
    return render(request, "workshop/pictures.html", context)


def upload_all(request: HttpRequest, product: Product) -> None:
    """A file that is refused does not stop the others; a storage that fails does."""
    files = request.FILES.getlist("pictures")
    added, actor = 0, require_user(request)
    for file in files:
        try:
            upload(product, file, actor)
        except DomainError as refusal:
            messages.error(request, f"{file.name}: {refusal.detail}")
            if isinstance(refusal, ServiceUnavailable):
                break
        else:
            added += 1
    if added:
        text = ngettext(
            "%(count)d picture was uploaded. It is shown once it has been prepared, in a moment.",
            "%(count)d pictures were uploaded. They are shown once they have been prepared, in a moment.",
            added,
        )
        messages.success(request, text % {"count": added})
    elif not files:
        messages.error(request, _("Choose one or more files first."))


def upload(product: Product, file: "UploadedFile[Any]", actor: User) -> None:
    check_size(file.size or 0)
    picture_add(product_id=product.pk, content=file.read(), name=file.name or "", actor=actor)


@login_required
@require_POST
def picture_text(request: HttpRequest, product_id: UUID, picture_id: UUID) -> HttpResponse:
    product = own_product(request, product_id)
    form = TextForm(request.POST)
    if not form.is_valid():  # says nothing of what others changed, so that it still counts as not seen
        seen = form["seen"].value()
        return show(request, product, wrong=picture_id, form=form, has_error=True, seen=seen)
    alt, seen = form.cleaned_data["alt"], form.cleaned_data["seen"]
    try:
        picture_describe(
            product_id=product.pk, picture_id=picture_id, alt=alt, seen=seen, actor=require_user(request)
        )
    except Conflict as conflict:
        form.add_error("alt", conflict.detail)
        return show(request, product, wrong=picture_id, form=form, has_error=True)
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, _("The text was saved."))
    return back(product, picture_id)


@login_required
@require_POST
def picture_place(request: HttpRequest, product_id: UUID, picture_id: UUID) -> HttpResponse:
    """To a position, not by a step, so that a form sent twice moves it once."""
    product = own_product(request, product_id)
    form = PlaceForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Positions are numbers from 1 to %(most)d.") % {"most": MOST})
        return back(product, picture_id)
    position = form.cleaned_data["position"]
    try:
        picture = picture_move(
            product_id=product.pk, picture_id=picture_id, position=position, actor=require_user(request)
        )
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(
            request, _("The picture is now number %(position)d.") % {"position": picture.position}
        )
    return back(product, picture_id)


@login_required
@require_POST
def picture_delete(request: HttpRequest, product_id: UUID, picture_id: UUID) -> HttpResponse:
    product = own_product(request, product_id)
    try:
        picture_remove(product_id=product.pk, picture_id=picture_id, actor=require_user(request))
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, _("The picture was removed."))
    return redirect("workshop:picture_list", product.pk)


def back(product: Product, picture_id: UUID) -> HttpResponse:
    """To the picture, so that nobody has to look for it again."""
    answer = redirect("workshop:picture_list", product.pk)
    answer["Location"] += f"#picture-{picture_id}"
    return answer
