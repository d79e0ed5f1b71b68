"""The reviewed table of who may use which route: SECURITY.md row 46. `test_routes.py` compares a running site with it.

A person who is added here must also come to the site in `Cast.come` of `test_routes.py`.
"""

import re

from web.programs.scopes import Scope

KEYS_OF = {f"key:{scope}": scope for scope in Scope}
# The people who send requests. `over`: a patient whose visit has ended. `half`: a person who has given the right
# password, but no second factor yet. `invited`: a person who has opened an invitation. `other admin`: an admin of
# another organisation. `holder`: a person without a session, but with the right token in the path.
PEOPLE = (
    "anonymous",
    "patient",
    "over",
    "guest",
    "provider",
    "admin",
    "auditor",
    "half",
    "invited",
    "other admin",
    "holder",
)
WHO = (*PEOPLE, *KEYS_OF)
API = "/{organisation}/api/v1"


# Reviewed by people. O is the path of the organisation, S the path of its staff, A the path of its API. A person
# whom a row does not name is refused, finds nothing, or is redirected to the sign-in. `everybody` includes keys, but
# keys are
# tested only with the API.
MAY = """
GET    /static/{path}            everybody
GET    /                         everybody
GET    /healthz                  everybody
GET    /readyz                   everybody
GET    /metrics                  nobody (a token must be set and given)
GET    O                         everybody
GET    O/information             everybody
POST   O/information             everybody
GET    O/visit                   patient, over
POST   O/visits/{visit}/contact  patient
GET    O/{area}                  nobody (there is none)
GET    O/logo/{name}             nobody (there is none)
GET    O/qr.svg                  everybody
GET    O/api                     everybody
POST   O/visits/{visit}/photos   patient
GET    O/visits/{visit}/photos/{photo}          patient, admin (and staff who are on call)
POST   O/visits/{visit}/photos/{photo}/remove   patient (and the claimant)
POST   O/visits/{visit}/phone    patient
GET    O/ws                      everybody (who speaks there is asked at hello)
GET    O/guest                   guest
GET    O/join/{token}            holder
POST   O/join/{token}            holder
GET    O/enter/{token}           holder
POST   O/enter/{token}           holder
GET    O/facility/{token}        holder
POST   O/facility/{token}        holder
GET    O/facility/{token}/list   holder
POST   O/facility/{token}/visits/{visit}  holder
GET    O/appointments            everybody
GET    O/appointments/next       everybody
POST   O/appointments/hold       everybody
GET    O/appointments/new        everybody
POST   O/appointments/new        everybody
GET    O/appointments/{token}            holder
GET    O/appointments/{token}/move       holder
POST   O/appointments/{token}/move       holder
POST   O/appointments/{token}/cancel     holder
POST   O/appointments/{token}/check-in   holder
GET    O/appointments/{token}/visit.ics  holder
GET    O/feed/{token}/visits.ics         holder
GET    O/{rest}                  nobody
POST   O/{rest}                  nobody
GET    S                         provider, admin
GET    S/visits/{visit}          provider, admin
GET    S/visits/{visit}/emergency      provider, admin (who is led to the visit)
POST   S/visits/{visit}/emergency      provider, admin
POST   S/visits/{visit}/emergency/end  provider, admin
GET    S/sign-in                 everybody
POST   S/sign-in                 everybody
POST   S/sign-out                nobody (all are led to the sign-in)
GET    S/sign-in/code            half
POST   S/sign-in/code            half
GET    S/session                 everybody (it says that nobody is signed in)
POST   S/session                 everybody (as above)
GET    S/invitation/{token}      holder
GET    S/password                invited
POST   S/password                invited
GET    S/two-factor              provider, admin, auditor
POST   S/two-factor              provider, admin, auditor
GET    S/preferences             provider, admin, auditor
POST   S/preferences             provider, admin, auditor
POST   S/preferences/password    provider, admin, auditor
POST   S/preferences/devices     provider, admin
POST   S/preferences/feed        provider, admin
POST   S/preferences/text        provider, admin
GET    S/calendar                provider, admin
GET    S/calendar/{appointment}/move    provider, admin
POST   S/calendar/{appointment}/move    provider, admin
POST   S/calendar/{appointment}/cancel  provider, admin
GET    S/reports                 admin
GET    S/reports.csv             admin
GET    S/setup                   admin
GET    S/setup/calendar          admin
POST   S/setup/calendar          admin
GET    S/setup/policy            admin
POST   S/setup/policy            admin
GET    S/setup/after             admin
POST   S/setup/after             admin
GET    S/setup/translations      admin
POST   S/setup/translations      admin
POST   S/setup/logo              admin
GET    S/setup/guide             admin
POST   S/setup/guide             admin
GET    S/setup/areas             admin
POST   S/setup/areas             admin
GET    S/setup/people            admin
POST   S/setup/people            admin
POST   S/setup/people/{person}   admin
GET    S/setup/rota              admin
POST   S/setup/rota              admin
GET    S/setup/mail              admin
POST   S/setup/mail              admin
POST   S/setup/mail/try          admin
GET    S/setup/texts             admin
POST   S/setup/texts             admin
GET    S/setup/links             admin
GET    S/setup/links/poster      admin
GET    S/setup/audit             admin, auditor
GET    S/setup/audit/export      admin, auditor
GET    S/setup/emergency         admin
POST   S/setup/emergency         admin
GET    S/setup/patients          admin
POST   S/setup/patients          admin
POST   S/setup/patients/export   admin
GET    S/setup/facilities        admin
POST   S/setup/facilities        admin
GET    S/setup/facilities/{facility}/qr.svg  admin
GET    S/setup/facilities/{facility}/poster  admin
GET    S/setup/api               admin
POST   S/setup/api               admin
GET    S/setup/deliveries        admin
POST   S/setup/deliveries        admin
GET    A/openapi.json            everybody
GET    A/asyncapi.json           everybody
GET    A/protocol.md             everybody
POST   A/visits                  key:open
GET    A/visits/{visit}          key:read, key:staff (and the key that opened it)
POST   A/visits/{visit}/link     nobody (but the key that opened it)
POST   A/visits/{visit}/withdraw nobody (but the key that opened it)
POST   A/visits/{visit}/assign   key:staff
POST   A/visits/{visit}/unassign key:staff
POST   A/visits/{visit}/urgency  key:staff
POST   A/visits/{visit}/move     key:staff
POST   A/visits/{visit}/decline  key:staff
GET    A/queue                   key:read
GET    A/wait                    key:read, key:open, key:staff
GET    A/staff                   key:read, key:staff
GET    A/webhooks                key:staff
POST   A/webhooks                key:staff
GET    A/webhooks/{webhook}      key:staff
PATCH  A/webhooks/{webhook}      key:staff
DELETE A/webhooks/{webhook}      key:staff
GET    A/webhooks/{webhook}/deliveries  key:staff
GET    A/{rest}                  nobody
POST   A/{rest}                  nobody
"""
SEES_PATIENTS = {"patient", "provider", "admin", "key:read", "key:staff"}
"""The people to whom a route may show the name of the patient. `holder` is not one of them, because a person who has
only a link sees only the patients of this link.
"""


def reviewed() -> dict[tuple[str, str], set[str]]:
    """Return (method, path) of each route -> the people who may use it."""
    found: dict[tuple[str, str], set[str]] = {}
    for line in MAY.strip().splitlines():
        method, path, who = line.split(maxsplit=2)
        short = {"O": "/{organisation}", "S": "/{organisation}/staff", "A": API}
        head, slash, rest = path.partition("/")
        names = re.sub(r"\(.*\)", "", who).split(",")
        everybody = {"everybody": set(WHO), "nobody": set()}
        path = path if path.startswith("/") else short[head] + slash + rest
        found[method, path] = set().union(*(everybody.get(name.strip(), {name.strip()}) for name in names))
    return found
