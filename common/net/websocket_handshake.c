#include "common/net/websocket_handshake.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/base64.h"

enum { KEY_RAW_BYTES = 16, SHA1_BYTES = 20, KEY_TEXT_MAX = 128 };
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static void base64_text(const void *bytes, size_t n, char *out, size_t out_size)
{
    struct cw_buf text;
    cw_buf_init(&text, out_size);
    cw_base64_encode(cw_str_make(bytes, n), &text);
    CW_ASSERT(text.len + 1 == out_size);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    cw_buf_fini(&text);
}

void cw_websocket_key(char out[CW_WEBSOCKET_KEY_BYTES])
{
    unsigned char raw[KEY_RAW_BYTES];
    CW_ASSERT(gnutls_rnd(GNUTLS_RND_NONCE, raw, sizeof raw) == 0);
    base64_text(raw, sizeof raw, out, CW_WEBSOCKET_KEY_BYTES);
}

void cw_websocket_accept(struct cw_str key, char out[CW_WEBSOCKET_ACCEPT_BYTES])
{
    char text[KEY_TEXT_MAX + sizeof ACCEPT_GUID];
    unsigned char digest[SHA1_BYTES];
    CW_ASSERT(key.len <= KEY_TEXT_MAX);
    if (key.len > 0)
        memcpy(text, key.ptr, key.len);
    memcpy(text + key.len, ACCEPT_GUID, sizeof ACCEPT_GUID - 1);
    CW_ASSERT(gnutls_hash_fast(GNUTLS_DIG_SHA1, text, key.len + sizeof ACCEPT_GUID - 1, digest) ==
              0);
    base64_text(digest, sizeof digest, out, CW_WEBSOCKET_ACCEPT_BYTES);
}

/* "keep-alive, Upgrade" has the token "upgrade". */
static bool has_token(struct cw_str list, const char *token)
{
    struct cw_str item;
    while (cw_str_split(&list, ',', &item)) {
        if (cw_str_eq_nocase(cw_str_trim(item), cw_str_of(token)))
            return true;
    }
    return false;
}

static bool is_key(struct cw_str key)
{
    struct cw_buf raw;
    cw_buf_init(&raw, KEY_TEXT_MAX);
    bool good = key.len == CW_WEBSOCKET_KEY_BYTES - 1 && cw_base64_decode(key, &raw) &&
                raw.len == KEY_RAW_BYTES;
    cw_buf_fini(&raw);
    return good;
}

bool cw_websocket_asked(const struct cw_websocket_ask *ask)
{
    return has_token(ask->connection, "upgrade") && has_token(ask->upgrade, "websocket") &&
           cw_str_eqz(cw_str_trim(ask->version), "13") && is_key(cw_str_trim(ask->key));
}

/* ---- the answer ---- */

static int fail(struct cw_err *err, const char *why)
{
    return cw_err_set(err, CW_E_IO, "the server's answer to the WebSocket handshake: %s", why);
}

/* "HTTP/1.1 101 Switching Protocols" */
static bool parse_status(struct cw_str line, int *out)
{
    uint64_t status;
    if (!cw_str_starts(line, CW_STR("HTTP/1.")) || line.len < 12 || line.ptr[8] != ' ' ||
        (line.len > 12 && line.ptr[12] != ' ') || !cw_str_to_u64(cw_str_sub(line, 9, 12), &status))
        return false;
    *out = (int)status;
    return status >= 100;
}

static int check_upgrade(struct cw_str headers, struct cw_str key, struct cw_err *err)
{
    bool upgrade = false, connection = false, accept = false;
    char want[CW_WEBSOCKET_ACCEPT_BYTES];
    struct cw_str line, name;
    cw_websocket_accept(key, want);
    while (cw_str_split(&headers, '\n', &line)) {
        if (!cw_str_split(&line, ':', &name))
            continue;
        struct cw_str value = cw_str_trim(line);
        if (cw_str_eq_nocase(name, CW_STR("Upgrade")))
            upgrade |= has_token(value, "websocket");
        else if (cw_str_eq_nocase(name, CW_STR("Connection")))
            connection |= has_token(value, "upgrade");
        else if (cw_str_eq_nocase(name, CW_STR("Sec-WebSocket-Accept")))
            accept = cw_str_eqz(value, want);
        else if (cw_str_eq_nocase(name, CW_STR("Sec-WebSocket-Extensions")) ||
                 cw_str_eq_nocase(name, CW_STR("Sec-WebSocket-Protocol")))
            return fail(err, "it takes something that was not offered");
    }
    if (!upgrade || !connection)
        return fail(err, "it does not upgrade");
    return accept ? 0 : fail(err, "Sec-WebSocket-Accept is wrong");
}

static size_t content_length(struct cw_str headers)
{
    struct cw_str line, name;
    uint64_t length;
    while (cw_str_split(&headers, '\n', &line)) {
        if (cw_str_split(&line, ':', &name) && cw_str_eq_nocase(name, CW_STR("Content-Length")) &&
            cw_str_to_u64(cw_str_trim(line), &length))
            return (size_t)length;
    }
    return SIZE_MAX;
}

int cw_websocket_answer_parse(struct cw_str bytes, struct cw_str key,
                              struct cw_websocket_answer *out, struct cw_err *err)
{
    ptrdiff_t end = cw_str_find(bytes, CW_STR("\r\n\r\n"));
    if (end < 0)
        return 0;
    struct cw_str head = cw_str_sub(bytes, 0, (size_t)end), line;
    out->head_len = (size_t)end + 4;
    if (!cw_str_split(&head, '\n', &line) || !parse_status(cw_str_trim(line), &out->status))
        return fail(err, "it is no HTTP/1.1");
    out->body_len = content_length(head);
    int rc = out->status == 101 ? check_upgrade(head, key, err) : 0;
    return rc < 0 ? rc : 1;
}
