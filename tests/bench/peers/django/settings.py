"""Django's settings: what an API needs, and nothing that only pages do."""
import os
import secrets

from psycopg.conninfo import conninfo_to_dict

SECRET_KEY = secrets.token_urlsafe()  # signs nothing here
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.postgres", "rest_framework", "listings"]
MIDDLEWARE = []
TEMPLATES = []
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

address = conninfo_to_dict(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": address.get("host", ""),
        "PORT": address.get("port", ""),
        "USER": address.get("user", ""),
        "PASSWORD": address.get("password", ""),
        "NAME": address["dbname"],
        # Each thread keeps its connection; psycopg's pool took 3 % more.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Parameters are bound by the server, and what is sent often is prepared.
            "server_side_binding": True,
            "prepare_threshold": 5,
            "options": "-c jit=off",
        },
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["listings.authentication.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": "listings.authentication.Caller",
}
