"""An OAuth 2 server (Authlib's) for client credentials: /token gives tokens, /check answers 204 to those that are good.

Run as `python oauth2_server.py PORT METHOD SECONDS`: METHOD is how clients tell their secret (client_secret_basic or
client_secret_post), SECONDS how long a token is good. GET /given tells how many were given; POST /revoke ends all."""
import os
import sys
import time

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants

METHOD, SECONDS = sys.argv[2], int(sys.argv[3])
app = flask.Flask("oauth2")
tokens = {}


class Client(ClientMixin):
    client_id, secret = "shipper", "s3cret &+/"

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return scope

    def check_client_secret(self, client_secret):
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == METHOD

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class Grant(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = [METHOD]


server = AuthorizationServer(app, query_client=lambda name: Client() if name == Client.client_id else None,
                             save_token=lambda token, request: tokens.update({token["access_token"]: (time.time() + SECONDS, token)}))
server.register_token_generator("default", lambda **more: {"access_token": os.urandom(12).hex(), "token_type": "Bearer",
                                                           "expires_in": SECONDS, "scope": more.get("scope")})
server.register_grant(Grant)


@app.post("/token")
def token():
    if flask.request.form.get("audience") != "logs":
        return "no audience", 403
    return server.create_token_response()


@app.route("/check")
def check():
    kind, _, name = flask.request.headers.get("Authorization", "").partition(" ")
    until, given = tokens.get(name, (0, {}))
    return "", 204 if kind == "Bearer" and until > time.time() and given.get("scope") == "logs:write more" else 401


@app.get("/given")
def given():
    return str(len(tokens))


@app.post("/revoke")
def revoke():
    for name, (_, token) in list(tokens.items()):
        tokens[name] = (0, token)
    return ""


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    app.run("127.0.0.1", int(sys.argv[1]))
