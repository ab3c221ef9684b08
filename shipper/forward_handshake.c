#include "shipper/forward_handshake.h"
#include "common/base/assert.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "shipper/msgpack_reader.h"

enum { HEX_BYTES = 2 * CW_SHA512_BYTES };

/* ---- writing ---- */

static void str_add(struct cw_buf *out, struct cw_str text)
{
    uint8_t head[3] = {0xda, (uint8_t)(text.len >> 8), (uint8_t)text.len};
    if (text.len < 32)
        cw_buf_addc(out, (char)(0xa0 | text.len));
    else
        cw_buf_add(out, head, sizeof head);
    cw_buf_adds(out, text);
}

static void bin_add(struct cw_buf *out, const uint8_t *bytes, uint8_t n)
{
    uint8_t head[2] = {0xc4, n};
    cw_buf_add(out, head, sizeof head);
    cw_buf_add(out, bytes, n);
}

static void hex_digest(const struct cw_str *parts, size_t n, char out[HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[CW_SHA512_BYTES];
    struct cw_buf all;
    cw_buf_init(&all, SIZE_MAX);
    for (size_t i = 0; i < n; i++)
        cw_buf_adds(&all, parts[i]);
    cw_sha512(cw_buf_str(&all), digest);
    cw_buf_fini(&all);
    for (size_t i = 0; i < CW_SHA512_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
}

static struct cw_str drawn(const uint8_t *bytes)
{
    return cw_str_make((const char *)bytes, CW_FORWARD_NONCE_BYTES);
}

void cw_forward_helo(const struct cw_forward_rules *rules, struct cw_forward_handshake *handshake,
                     struct cw_buf *out)
{
    cw_file_random(handshake->nonce, sizeof handshake->nonce);
    cw_file_random(handshake->auth, sizeof handshake->auth);
    cw_buf_addc(out, (char)0x92);
    str_add(out, CW_STR("HELO"));
    cw_buf_addc(out, (char)0x83);
    str_add(out, CW_STR("nonce"));
    bin_add(out, handshake->nonce, CW_FORWARD_NONCE_BYTES);
    str_add(out, CW_STR("auth")); /* empty: no user is asked for */
    bin_add(out, handshake->auth, rules->nusers > 0 ? CW_FORWARD_NONCE_BYTES : 0);
    str_add(out, CW_STR("keepalive"));
    cw_buf_addc(out, (char)0xc3);
}

static void pong_add(struct cw_buf *out, struct cw_str reason, struct cw_str hostname,
                     struct cw_str digest)
{
    cw_buf_addc(out, (char)0x95);
    str_add(out, CW_STR("PONG"));
    cw_buf_addc(out, (char)(reason.len == 0 ? 0xc3 : 0xc2));
    str_add(out, reason);
    str_add(out, hostname);
    str_add(out, digest);
}

/* ---- reading ---- */

enum ping_part { PING_TYPE, PING_HOST, PING_SALT, PING_KEY, PING_USER, PING_PASSWORD, PING_PARTS };

static int ping_read(struct cw_str message, struct cw_str parts[PING_PARTS])
{
    struct cw_msgpack_value value;
    if (cw_msgpack_next(&message, &value, NULL) <= 0 || value.kind != CW_MSGPACK_ARRAY ||
        value.n != PING_PARTS)
        return CW_E_INVALID;
    for (size_t i = 0; i < PING_PARTS; i++) {
        if (cw_msgpack_next(&message, &value, NULL) <= 0)
            return CW_E_INVALID;
        if (value.kind == CW_MSGPACK_NIL)
            value.bytes = CW_STR("");
        else if (value.kind != CW_MSGPACK_STR && value.kind != CW_MSGPACK_BIN)
            return CW_E_INVALID;
        parts[i] = value.bytes;
    }
    return cw_str_eqz(parts[PING_TYPE], "PING") && message.len == 0 ? 0 : CW_E_INVALID;
}

static bool same_digest(struct cw_str told, const char want[HEX_BYTES])
{
    return told.len == HEX_BYTES && cw_digest_equal(told.ptr, want, HEX_BYTES);
}

/* All users are looked at, so that the time does not tell which there are. */
static bool user_known(const struct cw_forward_rules *rules,
                       const struct cw_forward_handshake *handshake, struct cw_str username,
                       struct cw_str digest)
{
    bool known = rules->nusers == 0;
    for (size_t i = 0; i < rules->nusers; i++) {
        const struct cw_forward_user *user = &rules->users[i];
        const struct cw_str parts[] = {drawn(handshake->auth), user->username, user->password};
        char want[HEX_BYTES];
        hex_digest(parts, CW_COUNT(parts), want);
        if (same_digest(digest, want) && cw_str_eq(user->username, username))
            known = true;
    }
    return known;
}

int cw_forward_ping(const struct cw_forward_rules *rules,
                    const struct cw_forward_handshake *handshake, struct cw_str message,
                    struct cw_buf *out, struct cw_err *err)
{
    struct cw_str ping[PING_PARTS];
    char digest[HEX_BYTES];
    if (ping_read(message, ping) < 0) {
        pong_add(out, CW_STR("invalid ping message"), CW_STR(""), CW_STR(""));
        return cw_err_set(err, CW_E_INVALID, "no PING where a client is to say who it is");
    }
    const struct cw_str theirs[] = {ping[PING_SALT], ping[PING_HOST], drawn(handshake->nonce),
                                    rules->shared_key};
    hex_digest(theirs, CW_COUNT(theirs), digest);
    const char *why = NULL;
    if (!same_digest(ping[PING_KEY], digest))
        why = "shared_key mismatch";
    else if (!user_known(rules, handshake, ping[PING_USER], ping[PING_PASSWORD]))
        why = "username/password mismatch";
    if (why != NULL) {
        pong_add(out, cw_str_of(why), CW_STR(""), CW_STR(""));
        return cw_err_set(err, CW_E_FORBIDDEN, "a client is refused: %s", why);
    }
    const struct cw_str ours[] = {ping[PING_SALT], rules->hostname, drawn(handshake->nonce),
                                  rules->shared_key};
    hex_digest(ours, CW_COUNT(ours), digest);
    pong_add(out, CW_STR(""), rules->hostname, cw_str_make(digest, HEX_BYTES));
    return 0;
}
