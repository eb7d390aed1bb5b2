from typing import Any

from factory.declarations import Sequence
from factory.django import DjangoModelFactory

from artisans.accounts.models import Role, User

PASSWORD = "correct-horse-1"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    email = Sequence(lambda n: f"person{n}@example.test")
    name = Sequence(lambda n: f"Person {n}")
    password = PASSWORD
    role = Role.SHOPPER

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(*args, **kwargs)
