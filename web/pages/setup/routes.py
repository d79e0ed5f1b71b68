"""Lists the routes of the set-up."""

from aiohttp import web

from web.pages.setup import (
    areas,
    deliveries,
    facilities,
    guide,
    logo,
    mail,
    overview,
    patients,
    people,
    programs,
    rota,
    texts,
    translations,
)
from web.pages.setup.audit import audit
from web.pages.setup.frame import keeping
from web.pages.staff import password

HOME = "/{organisation}/staff/setup"

ROUTES = (
    web.get(HOME, overview.overview),
    web.get(f"{HOME}/calendar", overview.calendar),
    web.post(f"{HOME}/calendar", keeping(overview.save_calendar)),
    web.get(f"{HOME}/policy", overview.policy),
    web.post(f"{HOME}/policy", keeping(overview.save_policy)),
    web.get(f"{HOME}/after", overview.after),
    web.post(f"{HOME}/after", keeping(overview.save_after)),
    web.get(f"{HOME}/translations", translations.page),
    web.post(f"{HOME}/translations", keeping(translations.save_page)),
    web.post(f"{HOME}/logo", logo.save_logo),
    web.get("/{organisation}/logo/{name}", logo.logo),
    web.get(f"{HOME}/guide", guide.guide),
    web.post(f"{HOME}/guide", keeping(guide.save_guide)),
    web.get(f"{HOME}/areas", areas.areas),
    web.post(f"{HOME}/areas", keeping(areas.save_areas)),
    web.get(f"{HOME}/people", people.people),
    web.post(f"{HOME}/people", keeping(people.add_person)),
    web.post(f"{HOME}/people/{{person}}", keeping(people.change_person)),
    web.get(f"{HOME}/rota", rota.rota),
    web.post(f"{HOME}/rota", keeping(rota.save_rota)),
    web.get(f"{HOME}/mail", mail.mail),
    web.post(f"{HOME}/mail", keeping(mail.save_mail)),
    web.post(f"{HOME}/mail/try", mail.try_mail),
    web.get(f"{HOME}/texts", texts.page),
    web.post(f"{HOME}/texts", keeping(texts.act)),
    web.get(f"{HOME}/links", overview.links),
    web.get(f"{HOME}/audit", audit),
    web.get(f"{HOME}/patients", patients.page),
    web.post(f"{HOME}/patients", patients.act),
    web.post(f"{HOME}/patients/export", patients.download),
    web.get("/{organisation}/qr.svg", facilities.patient_qr),
    web.get(f"{HOME}/links/poster", facilities.patient_poster),
    web.get(f"{HOME}/facilities", facilities.desk),
    web.post(f"{HOME}/facilities", facilities.act),
    web.get(f"{HOME}/facilities/{{facility}}/qr.svg", facilities.facility_qr),
    web.get(f"{HOME}/facilities/{{facility}}/poster", facilities.facility_poster),
    web.get(f"{HOME}/api", programs.desk),
    web.post(f"{HOME}/api", programs.act),
    web.get(f"{HOME}/deliveries", deliveries.page),
    web.post(f"{HOME}/deliveries", deliveries.act),
    web.get("/{organisation}/staff/invitation/{token}", password.open_link),
    web.get("/{organisation}/staff/password", password.password_page),
    web.post("/{organisation}/staff/password", password.set_password),
)
