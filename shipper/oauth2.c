#include "shipper/oauth2.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"

/* A token is renewed so long before it ends. */
#define MARGIN_NS (10 * CW_NS_PER_S)
enum { SECRET_BYTES = 64 << 10, LIFE_MAX_S = 10 * 365 * 86400 };

void cw_oauth2_init(struct cw_oauth2 *oauth2, const struct cw_oauth2_config *config)
{
    *oauth2 = (struct cw_oauth2){.config = config};
    cw_buf_init(&oauth2->form, 1 << 20);
}

void cw_oauth2_fini(struct cw_oauth2 *oauth2)
{
    cw_oauth2_forget(oauth2);
    cw_buf_fini(&oauth2->form);
    free(oauth2->user);
    oauth2->user = NULL;
}

void cw_oauth2_forget(struct cw_oauth2 *oauth2)
{
    free(oauth2->token);
    oauth2->token = NULL;
}

bool cw_oauth2_good(const struct cw_oauth2 *oauth2, int64_t now_mono_ns)
{
    return oauth2->token != NULL && now_mono_ns < oauth2->good_until_ns;
}

/* ---- the request ---- */

static void form_escape(struct cw_buf *out, struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain)
            cw_buf_addc(out, (char)c);
        else
            cw_buf_addf(out, "%%%02X", c);
    }
}

static void form_add(struct cw_buf *out, struct cw_str name, struct cw_str value)
{
    if (out->len > 0)
        cw_buf_addc(out, '&');
    form_escape(out, name);
    cw_buf_addc(out, '=');
    form_escape(out, value);
}

/* Id and secret in the header are escaped as in a form (RFC 6749, 2.3.1). */
static void user_set(struct cw_oauth2 *oauth2, struct cw_str secret)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    form_escape(&text, oauth2->config->client_id);
    cw_buf_addc(&text, ':');
    form_escape(&text, secret);
    free(oauth2->user);
    oauth2->user = cw_str_dupz(cw_buf_str(&text));
    cw_buf_fini(&text);
}

struct cw_http_call cw_oauth2_request(struct cw_oauth2 *oauth2)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    const struct cw_oauth2_config *config = oauth2->config;
    struct cw_buf file, scopes;
    struct cw_err err;
    cw_buf_init(&file, SECRET_BYTES);
    cw_buf_init(&scopes, SIZE_MAX);
    if (config->client_secret_file.len > 0 &&
        cw_file_read(config->client_secret_file.ptr, SECRET_BYTES, &file, &err) < 0)
        cw_log_warn("%s", err.text);
    struct cw_str secret =
        config->client_secret_file.len > 0 ? cw_str_trim(cw_buf_str(&file)) : config->client_secret;
    cw_buf_clear(&oauth2->form);
    form_add(&oauth2->form, CW_STR("grant_type"), CW_STR("client_credentials"));
    for (size_t i = 0; i < config->scopes.n; i++) {
        if (i > 0)
            cw_buf_addc(&scopes, ' ');
        cw_buf_adds(&scopes, config->scopes.items[i]);
    }
    if (scopes.len > 0)
        form_add(&oauth2->form, CW_STR("scope"), cw_buf_str(&scopes));
    for (size_t i = 0; i < config->endpoint_params.n; i++)
        form_add(&oauth2->form, config->endpoint_params.items[i].name,
                 config->endpoint_params.items[i].value);
    if (oauth2->in_form) {
        form_add(&oauth2->form, CW_STR("client_id"), config->client_id);
        form_add(&oauth2->form, CW_STR("client_secret"), secret);
    } else {
        user_set(oauth2, secret);
    }
    cw_buf_fini(&scopes);
    cw_buf_fini(&file);
    return (struct cw_http_call){.method = "POST",
                                 .url = config->token_url.ptr,
                                 .headers = headers,
                                 .body = cw_buf_str(&oauth2->form),
                                 .user = oauth2->in_form ? NULL : oauth2->user,
                                 .max_answer_bytes = CW_OAUTH2_ANSWER_BYTES};
}

/* ---- the answer ---- */

/* Seconds, as a number or (against the standard) as text; 0: not said. */
static int64_t life_of(const json_t *root)
{
    const json_t *value = json_object_get(root, "expires_in");
    int64_t seconds = 0;
    if (json_is_number(value) && json_number_value(value) > 0)
        seconds = json_number_value(value) < (double)LIFE_MAX_S ? (int64_t)json_number_value(value)
                                                                : (int64_t)LIFE_MAX_S;
    else if (json_is_string(value))
        (void)cw_str_to_i64(cw_str_of(json_string_value(value)), &seconds);
    return seconds < 0 ? 0 : CW_MIN(seconds, (int64_t)LIFE_MAX_S);
}

static int token_take(struct cw_oauth2 *oauth2, struct cw_str body, int64_t now_mono_ns,
                      struct cw_err *err)
{
    json_error_t e;
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, 0, &e);
    const char *token = json_string_value(json_object_get(root, "access_token"));
    const char *type = json_string_value(json_object_get(root, "token_type"));
    int rc = 0;
    if (token == NULL || *token == '\0' || strpbrk(token, "\r\n") != NULL)
        rc = cw_err_set(err, CW_E_UNAVAILABLE, "%s: the answer has no access_token",
                        oauth2->config->token_url.ptr);
    else if (type != NULL && !cw_str_eq_nocase(cw_str_of(type), CW_STR("bearer")))
        rc = cw_err_set(err, CW_E_UNAVAILABLE, "%s: tokens of type \"%.40s\" are of no use here",
                        oauth2->config->token_url.ptr, type);
    if (rc == 0) {
        int64_t life_ns = life_of(root) * CW_NS_PER_S;
        cw_oauth2_forget(oauth2);
        oauth2->token = cw_str_dupz(cw_str_of(token));
        /* Half of a life that is shorter than the margin. */
        oauth2->good_until_ns =
            life_ns == 0 ? INT64_MAX : now_mono_ns + CW_MAX(life_ns - MARGIN_NS, life_ns / 2);
        oauth2->refused = false;
    }
    json_decref(root);
    return rc;
}

int cw_oauth2_answer(struct cw_oauth2 *oauth2, const struct cw_http_answer *answer,
                     int64_t now_mono_ns, struct cw_err *err)
{
    if (answer->status == 200)
        return token_take(oauth2, answer->body, now_mono_ns, err);
    bool other = !oauth2->refused && (answer->status == 400 || answer->status == 401);
    oauth2->refused = other; /* both ways once, then it is an error, and begun anew */
    if (other || answer->status == 400 || answer->status == 401)
        oauth2->in_form = !oauth2->in_form;
    return cw_err_set(err, other ? CW_E_CONFLICT : CW_E_UNAVAILABLE, "%s: HTTP status %d: %.*s",
                      oauth2->config->token_url.ptr, answer->status,
                      CW_STR_ARG(cw_str_sub(cw_str_trim(answer->body), 0, 200)));
}
