"""The table of all API operations, from which routes, checks, the description and tests are made."""

from web.api import visits
from web.api import webhook_operations as hooks
from web.api.operation import Operation
from web.programs import types as t
from web.programs.scopes import Scope

READ, OPEN, STAFF = Scope.READ, Scope.OPEN, Scope.STAFF
ANY = (READ, OPEN, STAFF)
ONCE = {
    visits.IDEMPOTENCY: "1 to 200 characters of your own, such as a random UUID. The request said again with it opens "
    "no second visit; another body with it is refused. A key is forgotten 24 hours after its first request: sent "
    "again later, it opens a new visit."
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "open_visit",
        "POST",
        "/visits",
        (OPEN,),
        "Open a visit: the patient stands in the queue from now on",
        visits.open_visit,
        t.Opened,
        takes=t.OpenVisit,
        status=201,
        problems=("closed", "nobody_on_call", "idempotency_mismatch"),
        headers=ONCE,
        description="The link in the answer puts the visit into the patient’s browser, once.",
    ),
    Operation(
        "show_visit",
        "GET",
        "/visits/{visit}",
        ANY,
        "A visit’s state, place and expected wait",
        visits.show,
        t.Visit,
        act="visit.read",
        description="A key with the scope `open` alone sees the visits that it opened.",
    ),
    Operation(
        "link_visit",
        "POST",
        "/visits/{visit}/link",
        (OPEN,),
        "Make another link for the patient of an open visit that this key opened",
        visits.link,
        t.PatientLink,
        status=201,
        problems=("wrong_status",),
        act="visit.linked",
    ),
    Operation(
        "withdraw_visit",
        "POST",
        "/visits/{visit}/withdraw",
        (OPEN,),
        "Take a patient out of the line whom this key put there",
        visits.withdraw,
        t.Visit,
        problems=("wrong_status", "not_allowed"),
    ),
    Operation(
        "assign_visit",
        "POST",
        "/visits/{visit}/assign",
        (STAFF,),
        "Assign a visit to somebody who is on call",
        visits.assign,
        t.Visit,
        takes=t.Assign,
        problems=("wrong_status", "not_on_call"),
    ),
    Operation(
        "unassign_visit",
        "POST",
        "/visits/{visit}/unassign",
        (STAFF,),
        "Take an assignment back",
        visits.unassign,
        t.Visit,
        problems=("wrong_status",),
    ),
    Operation(
        "decline_visit",
        "POST",
        "/visits/{visit}/decline",
        (STAFF,),
        "Decline a request",
        visits.decline,
        t.Visit,
        takes=t.Decline,
        problems=("wrong_status",),
        description="The patient’s screen says so at once, and an email goes out.",
    ),
    Operation(
        "list_queue",
        "GET",
        "/queue",
        (READ,),
        "Everybody who waits, with patient information",
        visits.queue,
        t.Queue,
        act="queue.read",
    ),
    Operation(
        "show_wait", "GET", "/wait", ANY, "What somebody who comes now has to expect", visits.wait, t.Wait
    ),
    Operation(
        "list_staff", "GET", "/staff", (READ, STAFF), "The staff, and who is on call", visits.staff, t.Staff
    ),
    Operation("list_webhooks", "GET", "/webhooks", (STAFF,), "The webhooks", hooks.list_all, t.Webhooks),
    Operation(
        "make_webhook",
        "POST",
        "/webhooks",
        (STAFF,),
        "Make a webhook",
        hooks.make,
        t.MadeWebhook,
        takes=t.NewWebhook,
        status=201,
        problems=("too_many_webhooks",),
        description="The secret in the answer signs what is sent; it is shown this once.",
    ),
    Operation(
        "show_webhook", "GET", "/webhooks/{webhook}", (STAFF,), "A webhook", hooks.show, t.WebhookShown
    ),
    Operation(
        "change_webhook",
        "PATCH",
        "/webhooks/{webhook}",
        (STAFF,),
        "Change what a webhook hears, or turn it off and on",
        hooks.change,
        t.WebhookShown,
        takes=t.ChangedWebhook,
        act="webhook.changed",
    ),
    Operation(
        "drop_webhook",
        "DELETE",
        "/webhooks/{webhook}",
        (STAFF,),
        "Delete a webhook",
        hooks.drop,
        None,
        status=204,
        act="webhook.dropped",
    ),
    Operation(
        "list_deliveries",
        "GET",
        "/webhooks/{webhook}/deliveries",
        (STAFF,),
        "The last attempts to deliver to a webhook",
        hooks.deliveries,
        t.Deliveries,
    ),
)
