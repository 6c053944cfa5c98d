"""Who builds and asks in these tests: alice owns Team A, bella builds there, bob only asks, charlie is a stranger."""

from tests.prompts.pages.conftest import SignedIn as SignedIn
from tests.prompts.pages.conftest import bella as bella
from tests.prompts.pages.conftest import signed_in as signed_in
