from artisans.core.api.routers import Router
from artisans.ledger.api import BalanceViewSet, EntryViewSet, TrialBalanceViewSet

router = Router()
router.register("ledger/balances", BalanceViewSet, basename="api_ledger_balance")
router.register("ledger/entries", EntryViewSet, basename="api_ledger_entry")
router.register("ledger/trial_balance", TrialBalanceViewSet, basename="api_ledger_trial_balance")
urlpatterns = router.urls
