from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import TextField, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from artisans.accounts.credentials import account_changed, acting_user, second_factor_remove
from artisans.accounts.models import Role, User, normal_email
from artisans.accounts.services import email_is_taken
from artisans.accounts.setting_admin import AuditedAdmin
from artisans.accounts.setting_changes import needs_second_person_for_rights
from artisans.audit.services import Action
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import GOOD, ReadOnlyAdmin, column, posted, when
from artisans.core.admin.search import containing
from artisans.core.admin.seen_forms import SeenForm
from artisans.core.errors import Forbidden
from artisans.core.security.fresh_sign_in import require_fresh_sign_in

# Staff sign in on the shop's own page, which limits password guessing.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.password_change = RedirectView.as_view(  # type: ignore[assignment,method-assign]
    pattern_name="account_change_password"
)
admin.site.unregister([Group, EmailAddress, Authenticator, UserSession])


USER_TEXT = Concat("email", Value(" "), "name", output_field=TextField())  # has an index of trigrams


def check_credentials_are_own(request: HttpRequest, user: User | None) -> None:
    """Where settings need two people, staff cannot take over a colleague's account. Errors: Forbidden."""
    if user is not None and user.is_staff and user != request.user and needs_second_person_for_rights():
        raise Forbidden(
            gettext(
                "Settings changes need a second person, so you cannot change a colleague’s credentials. They can reset "
                "their password by email; a lost second factor is removed with `manage.py remove_second_factor`."
            )
        )


class NewUserForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name", "role")

    def clean_email(self) -> str:
        email = normal_email(self.cleaned_data["email"])
        if email_is_taken(email):
            self.add_error("email", gettext("An account with this email address already exists."))
        return email


class UserForm(SeenForm, UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, Any] = {}


class PasswordForm(AdminPasswordChangeForm):
    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002  # Django's signature
        user = super().save(commit)
        account_changed(user=user, action=Action.PASSWORD_CHANGE, actor=acting_user())
        return user


@admin.register(User)
class UserAdmin(DjangoUserAdmin, AuditedAdmin):  # type: ignore[misc, type-arg]  # stubs and theme differ
    """Users. Staff roles are groups; only a superuser changes roles and permissions."""

    form = UserForm
    add_form = NewUserForm
    change_password_form = PasswordForm
    saving_needs_fresh_sign_in = True
    pages = {"remove-second-factor": "accounts.change_user"}
    list_display = ("email", "name", "role_shown", "jobs", "is_active", "last_seen", "since")
    list_filter = ("role", "is_active", "groups", ("created_at", DayRangeFilter))
    list_filter_submit = True
    search_fields = ("email", "name")  # shows the box; `get_search_results` searches
    search_help_text = _("Parts of the email address or name")
    ordering = ("-created_at",)
    filter_horizontal = ("groups",)
    readonly_fields = ("email", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "name", "password", "is_active")}),
        (_("Permissions"), {"fields": ("role", "groups", "is_superuser")}),
        (_("Important dates"), {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "role", "password1", "password2")}),)
    rights = ("role", "groups", "is_superuser")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (containing(queryset, USER_TEXT, search_term) if search_term.strip() else queryset), False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        if obj is None:
            return tuple(name for name in fields if name not in self.readonly_fields)
        return fields + (self.rights if obj == request.user else ())

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Without superuser rights nobody edits the account of staff or an artisan, which would be a takeover."""
        is_shopper = obj is None or not (
            obj.is_staff
            or obj.is_artisan
            or getattr(obj, "artisan", None)
            or getattr(obj, "artisan_member", None)
        )
        reachable = is_shopper or request.user.is_superuser
        return reachable and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # orders and the audit log refer to them; deactivate them instead

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        super().save_model(request, obj, form, change)
        if not change:
            EmailAddress.objects.create(user=obj, email=obj.email, primary=True)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002  # Django's
        require_fresh_sign_in(request)
        user = self.get_object(request, id)
        try:
            check_credentials_are_own(request, user)
        except Forbidden as error:
            messages.error(request, error.detail)
            return redirect("admin:accounts_user_change", id)
        response: HttpResponse = super().user_change_password(request, id, form_url)
        return response

    def remove_second_factor_page(self, request: HttpRequest, user: User) -> HttpResponse:
        if user == request.user or not self.has_change_permission(request, user):
            raise PermissionDenied

        def remove(data: dict[str, Any]) -> str:
            check_credentials_are_own(request, user)
            return second_factor_remove(user)

        return self.run_action(
            request,
            "admin/accounts/user/remove_second_factor.html",
            user,
            forms.Form(posted(request)),
            remove,
        )

    @column(_("Role"), ordering="role", label={Role.STAFF: "warning", Role.ARTISAN: GOOD})
    def role_shown(self, user: User) -> tuple[str, str]:
        return user.role, gettext("Superuser") if user.is_superuser else user.get_role_display()

    @column(_("Last sign-in"), ordering="last_login", file="last_login")
    def last_seen(self, user: User) -> str:
        return when(user.last_login)

    @column(_("Joined"), ordering="created_at", file="created_at")
    def since(self, user: User) -> str:
        return when(user.created_at)

    @column(_("Staff roles"))
    def jobs(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "–"


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, AuditedAdmin):  # type: ignore[misc]  # Django's stubs differ in detail
    """A staff role and its permissions. Only a superuser changes it."""

    form = SeenForm
    saving_needs_fresh_sign_in = True
    list_display = ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Where permissions need a second person, a role must first lose its permissions that way."""
        takes_rights = obj is not None and needs_second_person_for_rights() and obj.permissions.exists()
        return bool(request.user.is_superuser) and not takes_rights


@admin.register(EmailAddress)
class EmailAddressAdmin(ReadOnlyAdmin):
    """Email addresses; their owners verify them by email."""

    list_display = ("email", "user", "primary", "verified")
    list_filter = ("verified", "primary")
    list_select_related = ("user",)
    search_fields = ("email",)  # shows the box; `get_search_results` searches

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (containing(queryset, "email", search_term) if search_term.strip() else queryset), False
