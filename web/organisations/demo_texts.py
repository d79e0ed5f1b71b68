"""Contains the demo clinic's own texts in the other languages of the pages: language -> text -> translation.

No native speaker has read the French and the Arabic yet.
"""

from web.organisations.translations import Translations

CONSENT = """\
I ask for a video visit with a clinician of Riverside Clinic.

I understand that a video visit has limits: the clinician cannot touch or listen to me as in a room, and may ask me \
to come in or to go to an emergency department. The connection may fail; then the clinic calls me on the number I gave.

Nobody sees or hears me before I press Start Session, and nothing is recorded. What I write here and what the \
clinician notes is part of my record and is kept as the law asks.

I may end the visit at any time. In an emergency I call 911."""

WELCOME = "See a clinician by video today, without an appointment. Most visits take ten to fifteen minutes."

TRANSLATIONS: Translations = {
    "es": {
        WELCOME: "Vea hoy a un profesional por video, sin cita. La mayoría de las consultas duran de diez a quince "
        "minutos.",
        "When did it begin?": "¿Cuándo empezó?",
        "A guess is fine.": "Basta con una fecha aproximada.",
        "How are you right now?": "¿Cómo se encuentra ahora?",
        "I can go about my day": "Puedo hacer mi vida normal",
        "It is hard to go about my day": "Me cuesta hacer mi vida normal",
        "I cannot get up": "No puedo levantarme",
        "Are you pregnant, or could you be?": "¿Está embarazada o podría estarlo?",
        "Allergies and medicines": "Alergias y medicamentos",
        "What you cannot take, and what you take now. Write “none” if there are none.": "Lo que no puede tomar y lo "
        "que toma ahora. Escriba «ninguno» si no hay.",
        "Consent to a video visit": "Consentimiento para una consulta por video",
        "Please read it, and sign with your name.": "Léalo, por favor, y firme con su nombre.",
        "Camera, microphone and sound": "Cámara, micrófono y sonido",
        "You can be seen without a camera or a microphone too: the clinician is told.": "También puede ser atendido "
        "sin cámara o sin micrófono: se avisa al profesional.",
        CONSENT: """\
Pido una consulta por video con un profesional de Riverside Clinic.

Entiendo que una consulta por video tiene límites: el profesional no puede palparme ni auscultarme como en un \
consultorio, y puede pedirme que acuda en persona o que vaya a urgencias. La conexión puede fallar; entonces la \
clínica me llama al número que di.

Nadie me ve ni me oye antes de que yo pulse Iniciar sesión, y no se graba nada. Lo que escribo aquí y lo que anota el \
profesional forma parte de mi historia clínica y se conserva como exige la ley.

Puedo terminar la consulta en cualquier momento. En una emergencia llamo al 911.""",
    },
    "fr": {
        WELCOME: "Consultez un soignant en vidéo aujourd’hui, sans rendez-vous. La plupart des consultations durent de "
        "dix à quinze minutes.",
        "When did it begin?": "Quand cela a-t-il commencé ?",
        "A guess is fine.": "Une date approximative suffit.",
        "How are you right now?": "Comment allez-vous en ce moment ?",
        "I can go about my day": "Je peux mener mes activités habituelles",
        "It is hard to go about my day": "J’ai du mal à mener mes activités habituelles",
        "I cannot get up": "Je ne peux pas me lever",
        "Are you pregnant, or could you be?": "Êtes-vous enceinte, ou pourriez-vous l’être ?",
        "Allergies and medicines": "Allergies et médicaments",
        "What you cannot take, and what you take now. Write “none” if there are none.": "Ce que vous ne supportez pas, "
        "et ce que vous prenez actuellement. Écrivez « aucun » s’il n’y en a pas.",
        "Consent to a video visit": "Consentement à une consultation vidéo",
        "Please read it, and sign with your name.": "Veuillez le lire et le signer de votre nom.",
        "Camera, microphone and sound": "Caméra, micro et son",
        "You can be seen without a camera or a microphone too: the clinician is told.": "Vous pouvez aussi être reçu "
        "sans caméra ou sans micro : le soignant en est informé.",
        CONSENT: """\
Je demande une consultation vidéo avec un soignant de Riverside Clinic.

Je comprends qu’une consultation vidéo a ses limites : le soignant ne peut ni me palper ni m’ausculter comme dans un \
cabinet, et peut me demander de venir sur place ou d’aller aux urgences. La connexion peut échouer ; la clinique \
m’appelle alors au numéro que j’ai donné.

Personne ne me voit ni ne m’entend avant que j’appuie sur le bouton qui commence la consultation, et rien n’est \
enregistré. Ce que j’écris ici et ce que note le soignant font partie de mon dossier et sont conservés comme la loi le \
demande.

Je peux mettre fin à la consultation à tout moment. En cas d’urgence, j’appelle le 911.""",
    },
    "ar": {
        WELCOME: "قابل مقدم رعاية بالفيديو اليوم من دون موعد. تستغرق معظم الاستشارات من عشر إلى خمس عشرة دقيقة.",
        "When did it begin?": "متى بدأ ذلك؟",
        "A guess is fine.": "يكفي تاريخ تقريبي.",
        "How are you right now?": "كيف حالك الآن؟",
        "I can go about my day": "أستطيع القيام بأنشطتي اليومية",
        "It is hard to go about my day": "يصعب عليّ القيام بأنشطتي اليومية",
        "I cannot get up": "لا أستطيع النهوض",
        "Are you pregnant, or could you be?": "هل أنتِ حامل أو قد تكونين حاملًا؟",
        "Allergies and medicines": "الحساسية والأدوية",
        "What you cannot take, and what you take now. Write “none” if there are none.": "ما لا يمكنك تناوله وما "
        "تتناوله الآن. اكتب «لا يوجد» إن لم يكن هناك شيء.",
        "Consent to a video visit": "الموافقة على استشارة بالفيديو",
        "Please read it, and sign with your name.": "يُرجى قراءتها والتوقيع باسمك.",
        "Camera, microphone and sound": "الكاميرا والميكروفون والصوت",
        "You can be seen without a camera or a microphone too: the clinician is told.": "يمكن استقبالك أيضًا من دون "
        "كاميرا أو ميكروفون، ويُبلَّغ مقدم الرعاية بذلك.",
        CONSENT: """\
أطلب استشارة بالفيديو مع مقدم رعاية من Riverside Clinic.

أفهم أن للاستشارة بالفيديو حدودًا: لا يستطيع مقدم الرعاية فحصي باللمس أو السماعة كما في العيادة، وقد يطلب مني الحضور \
أو التوجه إلى قسم الطوارئ. قد ينقطع الاتصال، وعندئذ تتصل بي العيادة على الرقم الذي أعطيته.

لا أحد يراني أو يسمعني قبل أن أضغط على زر بدء الجلسة، ولا يُسجَّل شيء. ما أكتبه هنا وما يدوّنه مقدم الرعاية جزء من ملفي \
ويُحفظ كما يقتضي القانون.

يمكنني إنهاء الاستشارة في أي وقت. في حالة الطوارئ أتصل بالرقم 911.""",
    },
}
