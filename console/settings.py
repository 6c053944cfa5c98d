"""Every setting of Facet, read top to bottom. Each variable has one line in docs/configuration.md."""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from console.core.env import (
    env_bool,
    env_choice,
    env_commands,
    env_int,
    env_list,
    env_networks,
    env_secret,
    env_sender,
    env_str,
    env_url,
    headers_in,
    parts_of,
)
from console.embedded import defaults as embedded

BASE_DIR = Path(__file__).resolve().parent.parent

# Where this installation lives ------------------------------------------------------------------------------------

MODE = env_choice("FACET_MODE", ("local", "production"), "local")
IS_PRODUCTION = MODE == "production"
DEBUG = env_bool("DEBUG", False)
DATA_DIR = Path(env_str("DATA_DIR") or BASE_DIR / "var").resolve()
PORT = env_int("PORT", 8000, minimum=1)
BIND_ADDRESS = env_str("BIND_ADDRESS", "127.0.0.1")
# `make run` brings its own PostgreSQL, Valkey and model; production does so only when asked.
EMBEDDED_PARTS = env_bool("EMBEDDED_PARTS", not IS_PRODUCTION)
BASE_URL = env_url("BASE_URL", f"http://localhost:{PORT}")
BEHIND_TLS = BASE_URL.startswith("https://")
INSTALLATION_NAME = env_str("INSTALLATION_NAME", "Facet")
CURRENCY = env_str("CURRENCY", "USD")

# Secrets ----------------------------------------------------------------------------------------------------------

SECRET_KEY = env_secret("SECRET_KEY") or embedded.generated_secret(
    DATA_DIR, "SECRET_KEY", "secret_key", allowed=not IS_PRODUCTION
)
# The first key encrypts, all of them decrypt, so a key is rotated by putting a new one in front.
ENCRYPTION_KEYS = [k.strip() for k in env_secret("ENCRYPTION_KEYS").split(",") if k.strip()] or [
    embedded.generated_secret(DATA_DIR, "ENCRYPTION_KEYS", "encryption_key", allowed=not IS_PRODUCTION)
]
ALLOWED_HOSTS = env_list(
    "ALLOWED_HOSTS", [urlsplit(BASE_URL).hostname or "localhost", "localhost", "127.0.0.1", "[::1]"]
)
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", [BASE_URL])
# Networks whose X-Forwarded-For and X-Forwarded-Proto are believed, as CIDR. Empty: nobody's.
TRUSTED_PROXIES = env_networks("TRUSTED_PROXIES")
if IS_PRODUCTION:
    if DEBUG:
        raise ImproperlyConfigured("DEBUG is on in production; set DEBUG=0.")
    if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10 or "example" in SECRET_KEY or "change" in SECRET_KEY.lower():
        raise ImproperlyConfigured("SECRET_KEY is short or an example; generate one of 50 random characters or more.")
    if any(host.startswith("*") or host == "." for host in ALLOWED_HOSTS):
        raise ImproperlyConfigured("ALLOWED_HOSTS holds a wildcard; name the hosts people use.")

# Applications -----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "console.teams",  # before django.contrib.admin, so that its templates win
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",  # the form renderer finds the widgets of Django here, and our fields in templates/
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "template_partials",
    "csp",
    "console.core",
    "console.embedded",
    "console.audit",
    "console.notices",
    "console.catalog",
    "console.gateway",
    "console.knowledge",
    "console.batches",
    "console.api",
    "console.pages",
    "console.chat",
    "console.playground",
    "console.evals",
    "console.telemetry",
    "console.touchpoints",
    "prompts_app",
    "usage_app",
    "agents_app",
]

MIDDLEWARE = [
    "console.pages.middleware.RequestIdMiddleware",
    "console.pages.health.HealthMiddleware",
    "console.core.client_address.ClientAddressMiddleware",
    "console.telemetry.middleware.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "console.pages.middleware.StaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "console.teams.middleware.CallerMiddleware",
    "console.pages.middleware.PageMiddleware",
    "usage_app.middleware.RefusedRequestMiddleware",
    "console.pages.middleware.BodyMiddleware",
]

ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
WSGI_APPLICATION = "console.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.pages.context.shell",
            ],
            "builtins": [
                "template_partials.templatetags.partials",
                "console.pages.templatetags.ui",
                "console.pages.templatetags.values",
            ],
        },
    }
]

# Database: PostgreSQL, the embedded one unless DATABASE_URL names another -----------------------------------------

HAS_EMBEDDED_POSTGRES = EMBEDDED_PARTS and not env_secret("DATABASE_URL")
DATABASE_URL = env_secret("DATABASE_URL") or embedded.database_url(DATA_DIR, allowed=EMBEDDED_PARTS)
# The role that owns the tables. Only `manage.py migrate` uses it; what runs every day cannot change the log's past.
DATABASE_OWNER_URL = env_secret("DATABASE_OWNER_URL") or (
    embedded.database_url(DATA_DIR, embedded.OWNER_ROLE) if HAS_EMBEDDED_POSTGRES else ""
)
_db = parts_of("DATABASE_URL", DATABASE_URL)
parts_of("DATABASE_OWNER_URL", DATABASE_OWNER_URL)
if _db.scheme not in {"postgres", "postgresql"}:
    raise ImproperlyConfigured("DATABASE_URL must start with postgresql://; PostgreSQL is the only database.")
_db_query = dict(part.split("=", 1) for part in _db.query.split("&") if "=" in part)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(_db.path.lstrip("/")),
        "USER": unquote(_db.username or ""),
        "PASSWORD": unquote(_db.password or ""),
        "HOST": unquote(_db_query.pop("host", "") or _db.hostname or ""),
        "PORT": str(_db.port or ""),
        # A kept connection is tried before it is used: after PostgreSQL was restarted each would fail one request.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # Connections a process keeps for pages and tasks; 0 opens one per thread instead. Who waits for one
            # gives up together with the tries to make one, which come further apart the longer PostgreSQL is away.
            "pool": {"min_size": 0, "max_size": _pool, "timeout": 10, "reconnect_timeout": 10}
            if (_pool := env_int("DATABASE_POOL", 8))
            else False,
            # A server that is gone without a word, as when its machine is, is noticed within half a minute. Sockets
            # of this machine take no notice.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,  # ms
            **{key: unquote(value) for key, value in _db_query.items()},
        },
        "TEST": {"NAME": env_str("TEST_DATABASE") or None},
    }
}
# How many processes share that database, for the check at start that their pools fit: web, three workers, beat.
WEB_PROCESSES = env_int("WEB_PROCESSES", 1, minimum=1)
# How long a web process that is told to stop lets its streams finish, and then closes them.
STOP_SECONDS = env_int("STOP_SECONDS", 25, minimum=1)
WORKER_THREADS = env_int("WORKER_THREADS", 4, minimum=1)
DATABASE_PROCESSES = env_int("DATABASE_PROCESSES", WEB_PROCESSES + 4, minimum=1)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Pages and searches give up after this long instead of hanging; the gateway and migrations set their own.
STATEMENT_TIMEOUT_MS = env_int("STATEMENT_TIMEOUT_MS", 5000, minimum=100)

# Valkey: broker and fast shared state, never the truth ------------------------------------------------------------

HAS_EMBEDDED_VALKEY = EMBEDDED_PARTS and not env_secret("VALKEY_URL")
VALKEY_URL = env_secret("VALKEY_URL") or embedded.valkey_url(DATA_DIR, allowed=EMBEDDED_PARTS)
if parts_of("VALKEY_URL", VALKEY_URL).scheme not in {"redis", "rediss", "unix"}:
    raise ImproperlyConfigured("VALKEY_URL must start with redis://, rediss:// or unix://.")
BUILTIN_MODEL = env_bool("BUILTIN_MODEL", EMBEDDED_PARTS)
CACHES = {
    "default": {
        "BACKEND": "console.core.cache.KeptCache",
        "LOCATION": "core_cache",  # made by a migration of console.core
    }
}

# Queues are lanes: one worker each, so chat never waits behind a batch.
LANES = ("interactive", "standard", "batch")
CELERY_BROKER_URL = VALKEY_URL.replace("unix://", "redis+socket://", 1)
# kombu believes any certificate unless told otherwise.
CELERY_BROKER_USE_SSL = VALKEY_URL.startswith("rediss:") and {"ssl_cert_reqs": ssl.CERT_REQUIRED}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "standard"
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A broker that is away or frozen costs a page half a second, once; console/celery.py gives workers more patience.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5, "max_retries": 0}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False  # what is printed is no warning, and a traceback is no line a word

# People -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "teams.User"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "guardian.backends.ObjectPermissionBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ANONYMOUS_USER_NAME = None  # guardian: there is no anonymous person with rights

# Who `manage.py quickstart` makes the operator of a new installation.
QUICKSTART_EMAIL = env_str("QUICKSTART_EMAIL", "operator@localhost")

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "pages:overview"
ACCOUNT_ADAPTER = "console.teams.adapters.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "console.teams.single_sign_on.SocialAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_FORMS = {
    "login": "console.teams.forms.passwords.LoginForm",
    "reauthenticate": "console.teams.forms.passwords.ReauthenticateForm",
    "add_email": "console.teams.forms.passwords.AddEmailForm",
    "reset_password": "console.teams.forms.passwords.ResetPasswordForm",
    "change_password": "console.teams.forms.passwords.ChangePasswordForm",
    "set_password": "console.teams.forms.passwords.SetPasswordForm",
    "reset_password_from_key": "console.teams.forms.passwords.ResetPasswordKeyForm",
    "confirm_reauthentication_code": "console.teams.forms.passwords.MailedCodeForm",
}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "none"  # people come by invitation, which proves the address
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
# A mailed code is for those who have nothing else (see AccountAdapter); so is a one-time link.
ACCOUNT_REAUTHENTICATION_METHODS = ("password", "mfa", "code", "sign_in_link")
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 900
ACCOUNT_CHANGE_EMAIL = True  # one address a person; a new one counts when it has been confirmed
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{INSTALLATION_NAME}] "
# `key` is the account together with the network (see AccountAdapter), so nobody can lock somebody else out; the three
# rates on it make the delay grow. `strangers` is what all browsers that never signed in to the account share.
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,200/h/ip,5/5m/key,10/h/key,30/d/key"}
SIGN_IN_STRANGERS_RATE = "60/h/key"
PASSWORD_RESET_TIMEOUT = env_int("PASSWORD_RESET_SECONDS", 3600, minimum=60)
_MOST_DAYS = 36_500  # a hundred years; there is no date a million days ago
INVITATION_DAYS = env_int("INVITATION_DAYS", 7, minimum=1, maximum=_MOST_DAYS)
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if BEHIND_TLS else "http"
MFA_ADAPTER = "console.teams.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "activate_totp": "console.teams.forms.codes.ActivateForm",
    "authenticate": "console.teams.forms.codes.AuthenticateForm",
    "reauthenticate": "console.teams.forms.codes.ReauthenticateForm",
    "add_webauthn": "console.teams.forms.passkeys.AddForm",
    "edit_webauthn": "console.teams.forms.passkeys.EditForm",
    "login_webauthn": "console.teams.forms.passkeys.LoginForm",
    "authenticate_webauthn": "console.teams.forms.passkeys.AuthenticateForm",
    "reauthenticate_webauthn": "console.teams.forms.passkeys.ReauthenticateForm",
}
MFA_TOTP_TOLERANCE = 1  # a code that ended while it was typed, or a clock that is half a minute off
MFA_TOTP_ISSUER = INSTALLATION_NAME
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = (
    False  # takes every origin; browsers have passkeys over https and on localhost only
)
USERSESSIONS_TRACK_ACTIVITY = True  # CallerMiddleware does, once a minute instead of on every page
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False
# `slug:role`: whoever the identity provider vouches for gets an account and joins this team. Empty: by invitation only.
OIDC_AUTO_JOIN = env_str("OIDC_AUTO_JOIN")
OIDC_SERVER_URL = env_url("OIDC_SERVER_URL")
OIDC_CLIENT_ID = env_str("OIDC_CLIENT_ID")
if OIDC_SERVER_URL and not OIDC_CLIENT_ID:
    raise ImproperlyConfigured("OIDC_SERVER_URL is set without OIDC_CLIENT_ID, the client the provider knows us as.")
# Addresses the provider says nothing about are taken for verified, as directories without that claim need it.
OIDC_TRUST_EMAILS = env_bool("OIDC_TRUST_EMAILS", False)
OIDC_CLIENT_AUTH = env_choice("OIDC_CLIENT_AUTH", ("provider", "basic", "post"), "provider")
SOCIALACCOUNT_PROVIDERS = (
    {
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": "oidc",
                    "name": env_str("OIDC_NAME", "Single sign-on"),
                    "client_id": OIDC_CLIENT_ID,
                    "secret": env_secret("OIDC_CLIENT_SECRET"),
                    "settings": {
                        "server_url": OIDC_SERVER_URL,
                        "oauth_pkce_enabled": True,
                        "token_auth_method": {"basic": "client_secret_basic", "post": "client_secret_post"}.get(
                            OIDC_CLIENT_AUTH
                        ),
                    },
                }
            ]
        }
    }
    if OIDC_SERVER_URL
    else {}
)

# Sessions, cookies, headers ---------------------------------------------------------------------------------------

SESSION_ENGINE = "console.teams.session_store"
SESSION_COOKIE_NAME = "__Host-facet" if BEHIND_TLS else f"facet-{PORT}"
SESSION_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_IDLE_SECONDS = env_int("SESSION_IDLE_SECONDS", 12 * 3600, minimum=60)
SESSION_COOKIE_AGE = env_int("SESSION_MAX_SECONDS", 7 * 24 * 3600, minimum=60)
CSRF_COOKIE_NAME = "__Host-facet-csrf" if BEHIND_TLS else f"facet-csrf-{PORT}"
CSRF_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "console.pages.views.errors.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
FILE_UPLOAD_HANDLERS = [
    "console.core.uploads.SizeLimitHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# Static files -----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "console.core.static_files.AddressedByContent"},
}
# Served from where they lie: nothing has to be collected before a start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 3600
MEDIA_ROOT = DATA_DIR / "media"

# E-mail -----------------------------------------------------------------------------------------------------------

EMAIL_HOST = env_str("EMAIL_HOST")
EMAIL_PORT = env_int("EMAIL_PORT", 587, minimum=1)
EMAIL_HOST_USER = env_str("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env_secret("EMAIL_HOST_PASSWORD")
# One port has TLS from the first byte on; everywhere else a connection changes to it (STARTTLS).
EMAIL_USE_SSL = env_bool("EMAIL_USE_SSL", EMAIL_PORT == 465)
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", not EMAIL_USE_SSL)
for _name, _said in {"EMAIL_HOST_USER": EMAIL_HOST_USER, "EMAIL_HOST_PASSWORD": EMAIL_HOST_PASSWORD}.items():
    if not _said.isascii():  # smtplib takes no other letters, and each mail would fail
        raise ImproperlyConfigured(f"{_name} has letters beyond ASCII, which cannot be sent to a mail server.")
if EMAIL_USE_SSL and EMAIL_USE_TLS:
    raise ImproperlyConfigured(
        "EMAIL_USE_TLS and EMAIL_USE_SSL are two ways to have TLS; set one of them."
        if env_str("EMAIL_USE_SSL")
        else "EMAIL_USE_TLS=1 asks for STARTTLS, but at port 465 connections use TLS from the start: leave "
        "EMAIL_USE_TLS out, or set EMAIL_USE_SSL=0 if this server wants STARTTLS there."
    )
EMAIL_TIMEOUT = 10  # seconds: pages wait for the mail server
DEFAULT_FROM_EMAIL = env_sender("EMAIL_FROM", "facet@localhost")
# Without a mail server, mails are files in DATA_DIR/mail, where an operator can read them.
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend" if EMAIL_HOST else "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = DATA_DIR / "mail"

# Language and time ------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = False

# The management API -----------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["console.api.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["console.api.permissions.DeclaredPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["console.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "console.api.schema.Schema",
    "EXCEPTION_HANDLER": "console.api.exceptions.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Facet management API",
    "DESCRIPTION": "Everything the console can do, for programs. Calls to models are at /v1/.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/",
    "POSTPROCESSING_HOOKS": [],
}

# The gateway ------------------------------------------------------------------------------------------------------

# Private addresses providers may have: CIDR networks, only ever set here. Loopback is for the built-in model.
_LOOPBACK = [] if IS_PRODUCTION else ["127.0.0.0/8", "::1/128"]
PRIVATE_NETWORKS_ALLOWED = env_networks("PRIVATE_NETWORKS_ALLOWED", _LOOPBACK)
# Those that tools may call: whoever builds agents chooses the address, so it is a list of its own.
PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS = env_networks("PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS", _LOOPBACK)
GATEWAY_BODY_BYTES = env_int("GATEWAY_BODY_BYTES", 2 * 1024 * 1024, minimum=1024)
GATEWAY_ANSWER_BYTES = env_int("GATEWAY_ANSWER_BYTES", 64 * 1024 * 1024, minimum=1024)
GATEWAY_MAX_OUTPUT_TOKENS = env_int("GATEWAY_MAX_OUTPUT_TOKENS", 4096, minimum=1)
GATEWAY_CONNECT_SECONDS = env_int("GATEWAY_CONNECT_SECONDS", 10, minimum=1)
# How long a provider may be silent, before its first byte or between two.
GATEWAY_SILENCE_SECONDS = env_int("GATEWAY_SILENCE_SECONDS", 120, minimum=1)
GATEWAY_TOTAL_SECONDS = env_int("GATEWAY_TOTAL_SECONDS", 600, minimum=1)
GATEWAY_STREAM_SECONDS = env_int("GATEWAY_STREAM_SECONDS", 1800, minimum=1)
GATEWAY_WRITE_SECONDS = env_int("GATEWAY_WRITE_SECONDS", 30, minimum=1)
GATEWAY_HEARTBEAT_SECONDS = env_int("GATEWAY_HEARTBEAT_SECONDS", 15, minimum=1)
# A call whose process has not been heard of for this long is ended by another one.
GATEWAY_LEASE_SECONDS = env_int("GATEWAY_LEASE_SECONDS", 120, minimum=2)
# Whether a start must be on disk, and not only committed, before anything is sent upstream.
GATEWAY_DURABLE_STARTS = env_bool("GATEWAY_DURABLE_STARTS", False)
GATEWAY_QUEUE_LENGTH = env_int("GATEWAY_QUEUE_LENGTH", 4096, minimum=16)
# The batch lane gives way while interactive calls need longer than this to their first token (95th percentile).
GATEWAY_INTERACTIVE_TARGET_MS = env_int("GATEWAY_INTERACTIVE_TARGET_MS", 3000, minimum=1)
# Ask a second time when an interactive call has no first byte after so long, and take the first answer; 0: never.
GATEWAY_HEDGE_MS = env_int("GATEWAY_HEDGE_MS", 0, minimum=0)
# How many batch calls go at once to a provider that sets no limit of its own.
GATEWAY_BATCH_CONCURRENCY = env_int("GATEWAY_BATCH_CONCURRENCY", 8, minimum=1)
GATEWAY_UNKNOWN_FIELDS = env_choice("GATEWAY_UNKNOWN_FIELDS", ("pass", "drop", "refuse"), "pass")

# The chat ---------------------------------------------------------------------------------------------------------

# An answer whose process has not been heard of for this long is marked as interrupted.
CHAT_LEASE_SECONDS = env_int("CHAT_LEASE_SECONDS", 20, minimum=2)

# Files and batches ------------------------------------------------------------------------------------------------

FILE_MAX_BYTES = env_int("FILE_MAX_BYTES", 200 * 1024 * 1024, minimum=1024)
FILE_KEEP_DAYS = env_int("FILE_KEEP_DAYS", 30, minimum=1, maximum=_MOST_DAYS)
# Of batches that come as one request.
BATCH_BODY_BYTES = env_int("BATCH_BODY_BYTES", 64 * 1024 * 1024, minimum=1024)
BATCH_MAX_LINES = env_int("BATCH_MAX_LINES", 100_000, minimum=1)
# Lines of one batch that are in progress at once; how many a provider really gets is up to the batch lane's permits.
BATCH_CONCURRENCY = env_int("BATCH_CONCURRENCY", 8, minimum=1)
# A batch whose worker has not been heard of for this long is taken over by another one.
BATCH_LEASE_SECONDS = env_int("BATCH_LEASE_SECONDS", 30, minimum=2)
BATCH_LINE_ATTEMPTS = env_int("BATCH_LINE_ATTEMPTS", 3, minimum=1)
BATCH_WINDOW_SECONDS = env_int("BATCH_WINDOW_SECONDS", 24 * 3600, minimum=60)
# Responses in the background that one worker has in progress at once; they wait for models.
BACKGROUND_CONCURRENCY = env_int("BACKGROUND_CONCURRENCY", 32, minimum=1)

# Runs of agents ---------------------------------------------------------------------------------------------------

# Runs of one worker that are in progress at once; they mostly wait for models and tools.
AGENT_CONCURRENCY = env_int("AGENT_CONCURRENCY", 24, minimum=1)
# A run whose worker has not been heard of for this long is taken over by another one.
AGENT_LEASE_SECONDS = env_int("AGENT_LEASE_SECONDS", 15, minimum=2)
# Runs that tools of runs start: how many may stand above one another.
AGENT_MOST_DEPTH = env_int("AGENT_MOST_DEPTH", 3, minimum=0)

# MCP servers that are programs of this machine, by name; started for the length of a visit. Nothing else starts one.
MCP_PROGRAMS = env_commands("MCP_PROGRAMS")
# Installed packages (names of distributions) whose tools and hooks are loaded.
PLUGINS_ALLOWED = env_list("PLUGINS_ALLOWED")

# Hosts of the message brokers agents may read from: `mq.internal`, `mq.internal:5672`, a socket's path. They stand in
# private networks, so it is whoever runs the installation who names them.
BROKER_HOSTS = env_list("BROKER_HOSTS", [] if IS_PRODUCTION else ["localhost", "127.0.0.1", "[::1]"])

# Where notices of approvals are sent besides mail, signed with the secret.
APPROVAL_WEBHOOK_URL = env_str("APPROVAL_WEBHOOK_URL")
APPROVAL_WEBHOOK_SECRET = env_secret("APPROVAL_WEBHOOK_SECRET")
if APPROVAL_WEBHOOK_URL and not APPROVAL_WEBHOOK_SECRET:
    raise ImproperlyConfigured("APPROVAL_WEBHOOK_URL needs APPROVAL_WEBHOOK_SECRET: notices are signed.")

# Prompts ----------------------------------------------------------------------------------------------------------

# Characters: of one version as it is written, and of all messages together once values and partials are in place.
PROMPT_TEXT_CHARS = env_int("PROMPT_TEXT_CHARS", 100_000, minimum=100)
PROMPT_RENDERED_CHARS = env_int("PROMPT_RENDERED_CHARS", 200_000, minimum=100)
# Where the connected git repository may be: hosts (`git.example.com`, `ssh://git.example.com`), folders here.
PROMPTS_GIT_HOSTS = env_list("PROMPTS_GIT_HOSTS")
PROMPTS_GIT_FOLDERS = env_list("PROMPTS_GIT_FOLDERS")

# The audit log ----------------------------------------------------------------------------------------------------

AUDIT_KEEP_DAYS = env_int("AUDIT_KEEP_DAYS", 400, minimum=1, maximum=_MOST_DAYS)
AUDIT_CONTENT_KEEP_DAYS = env_int("AUDIT_CONTENT_KEEP_DAYS", 90, minimum=1, maximum=_MOST_DAYS)
AUDIT_CONTENT_BYTES = env_int("AUDIT_CONTENT_BYTES", 256 * 1024, minimum=1024)
# Of the pictures of a body that is longer, beside its words.
AUDIT_PICTURE_BYTES = env_int("AUDIT_PICTURE_BYTES", 1024 * 1024, minimum=0)
AUDIT_S3_URL = env_url("AUDIT_S3_URL")
AUDIT_S3_REGION = env_str("AUDIT_S3_REGION", "us-east-1")
AUDIT_S3_ACCESS_KEY = env_str("AUDIT_S3_ACCESS_KEY")
AUDIT_S3_SECRET_KEY = env_secret("AUDIT_S3_SECRET_KEY")
if AUDIT_S3_URL and not (AUDIT_S3_ACCESS_KEY and AUDIT_S3_SECRET_KEY):
    raise ImproperlyConfigured("AUDIT_S3_URL needs AUDIT_S3_ACCESS_KEY and AUDIT_S3_SECRET_KEY.")
AUDIT_REDACT_FIELDS = env_list("AUDIT_REDACT_FIELDS", ["password", "secret", "authorization", "api_key"])

# Logging ----------------------------------------------------------------------------------------------------------

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_JSON = env_bool("LOG_JSON", IS_PRODUCTION)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "scrub": {"()": "console.core.logs.ScrubFilter"},
        "outage": {"()": "console.core.logs.OutageFilter"},
        "broker": {"()": "console.core.logs.BrokerFilter"},
        "seldom": {"()": "console.core.logs.SeldomFilter"},
    },
    "formatters": {"line": {"()": "console.core.logs.LineFormatter", "json": LOG_JSON}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["scrub"]},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": env_choice("LOG_LEVEL", _LEVELS, "INFO")},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "propagate": False},
        "uvicorn.access": {"handlers": [], "propagate": False},
        "django.request": {"level": "ERROR"},
        "celery.app.trace": {"filters": ["outage"]},
        "celery.beat": {"filters": ["broker"]},
        "psycopg.pool": {"filters": ["seldom"]},  # a line for each connection it tries to make, in each process
        # They would write addresses and what strangers answered; what went wrong is said by whoever asked.
        "mcp": {"handlers": ["nowhere"], "propagate": False},
        "httpx2": {"handlers": ["nowhere"], "propagate": False},
        # Anybody can send any Host, as often as they like; the 400 says all there is to say.
        "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
    },
}

# Observability ----------------------------------------------------------------------------------------------------

# What a scraper of /metrics shows. Without it, only API keys read them.
METRICS_TOKEN = env_secret("METRICS_TOKEN")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured("METRICS_TOKEN is shorter than 20 characters; `openssl rand -hex 32` makes one.")
# Cuts of calls that have series of their own; what comes later shares `other`.
METRICS_MOST_SERIES = env_int("METRICS_MOST_SERIES", 2000, minimum=1)
# A collector of OpenTelemetry, which gets the log's calls as traces; by the names its own tools use.
OTEL_EXPORTER_OTLP_ENDPOINT = env_url("OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL_EXPORTER_OTLP_HEADERS = headers_in("OTEL_EXPORTER_OTLP_HEADERS", env_secret("OTEL_EXPORTER_OTLP_HEADERS"))
OTEL_SERVICE_NAME = env_str("OTEL_SERVICE_NAME", "facet")

# Periodic work ----------------------------------------------------------------------------------------------------

CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULER = "console.core.beat:Scheduler"
# The tasks that beat sends by name, and every how many seconds.
_EVERY = {
    "catalog.warn_of_shutdowns": 86_400,
    "chat.forget_allowances": 3_600,
    "chat.sweep": 10,
    "gateway.sweep": 20,
    "batches.drive": 10,
    "batches.prune": 3_600,
    "api.prune_idempotency": 3_600,
    "api.drive": 10,
    "usage.roll_up": 5,
    "usage.check_alerts": 60,
    "usage.check_alert_rules": 60,
    "usage.prune": 3_600,
    "prompts.roll_up_uses": 60,
    "prompts.git_sync": 60,
    "agents.sweep_queues": 60,
    "agents.read_queues": 5,
    "agents.send_results": 5,
    "agents.call_back": 5,
    "agents.forget": 86_400,
    "agents.tick": 5,
    "agents.drive": 10,
    "knowledge.drive": 30,
    "evals.tick": 10,
    "evals.sweep": 10,
    "evals.forget_answers": 86_400,
    "notices.send": 10,
    "notices.watch": 60,
    "notices.forget": 86_400,
    "audit.seal": 30,
    "audit.verify": 120,
    "audit.make_months": 3_600,
    "audit.apply_retention": 86_400,
}
if OTEL_EXPORTER_OTLP_ENDPOINT:
    _EVERY["telemetry.export_traces"] = 5
if AUDIT_S3_URL:
    _EVERY["audit.archive"] = 60
# One that no worker took expires when the next is sent, or after an hour: they do not pile up while there is none.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    f"heartbeat.{lane}": {
        "task": "pages.canary",
        "schedule": 15,
        "args": [lane],
        "options": {"queue": lane, "expires": 15},
    }
    for lane in LANES
} | {
    task: {"task": task, "schedule": seconds, "options": {"expires": min(seconds, 3600)}}
    for task, seconds in _EVERY.items()
}
