"""Tell the story: `make example-marketing`."""

import os

from examples.console import Trouble, find_console
from examples.making import ensure_bill
from examples.marketing.cms import Cms
from examples.marketing.model import think
from examples.marketing.setting_up import ALIAS, COPYWRITER, MODEL, PLANNER, set_up
from examples.scripted import answer_as
from examples.serving import Reply, Request, say, serve, tell

PORT = int(os.environ.get("EXAMPLE_PORT") or 8752)
ORDER = {"campaign": "The autumn bike week", "audience": "people who ride to work"}


def story() -> None:
    console = find_console()
    cms = Cms()

    def answer(request: Request) -> Reply:
        found = answer_as(MODEL, think, request) or cms.answer(request)
        return found or Reply({"error": f"There is no {request.path} here."}, status=404)

    outside = f"http://127.0.0.1:{PORT}"
    serve(PORT, answer)
    set_up(console, outside)
    say(f"The planner is ready: {console.url}/agents/{PLANNER}/")

    say(f"\n1. A program orders a campaign: {ORDER['campaign']}, for {ORDER['audience']}.")
    run = console.call("POST", f"agents/{PLANNER}/runs", {"input": ORDER, "wait": 300}, wait=300)
    if run["status"] != "succeeded":
        raise Trouble(f"The run is {run['status']}: {console.url}/runs/{run['id']}/")
    say(f"   drafts in the CMS: {outside}/")
    say(f"   the trace, with what each section cost: {console.url}/runs/{run['id']}/")

    say("\n2. A copywriter asks for tweaks in chat, of the assistant Copywriter:")
    say(f"   {console.url}/chat/?agent={COPYWRITER}")
    piece = next(iter(cms.pieces.values()))
    say(f"   Write: Shorter, please: {piece['text']}")

    bill = ensure_bill(console, ALIAS, most="5.00")
    say(f"\n3. One bill and one audit trail, of everything on the alias {ALIAS}:")
    say(f"   {bill['used']} of {bill['limit']} this month: {console.url}/quotas/")
    say(f"   {console.url}/audit/?alias={ALIAS}")


if __name__ == "__main__":
    tell(story)
