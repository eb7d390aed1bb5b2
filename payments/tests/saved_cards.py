from artisans.accounts.models import User
from payments.lifecycle.saved_methods import method_setup_finish, method_setup_start
from payments.models import PaymentMethodInfo
from payments.tests.conftest import Stripe


def save_after_3d_secure(user: User, stripe: Stripe, token: str) -> PaymentMethodInfo:
    setup = method_setup_start(user=user, provider="stripe")
    stripe.post("stripe/pay", setup_intent=setup.setup_id, payment_method=token)
    stripe.post("stripe/authenticate", setup_intent=setup.setup_id, passed=True)
    method = method_setup_finish(setup.setup_id).method
    assert method is not None
    return method
