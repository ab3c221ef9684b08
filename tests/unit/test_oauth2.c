#include <criterion/criterion.h>
#include <stdio.h>
#include "common/base/clock.h"
#include "shipper/oauth2.h"

static struct cw_str scopes[] = {CW_STR("logs:write"), CW_STR("b")};
static struct cw_config_pair parameter = {CW_STR("audience"), CW_STR("https://x/")};
static const struct cw_oauth2_config config = {.client_id = CW_STR("me:1"),
                                               .client_secret = CW_STR("s e&cret"),
                                               .token_url = CW_STR("http://h/token"),
                                               .scopes = {scopes, 2},
                                               .endpoint_params = {&parameter, 1}};
static struct cw_err err;

static int answer(struct cw_oauth2 *oauth2, int status, const char *body)
{
    struct cw_http_answer a = {.status = status, .body = cw_str_of(body)};
    return cw_oauth2_answer(oauth2, &a, 1000 * CW_NS_PER_S, &err);
}

Test(oauth2, the_secret_goes_into_the_header_and_after_a_refusal_into_the_form)
{
    struct cw_oauth2 oauth2;
    cw_oauth2_init(&oauth2, &config);
    struct cw_http_call call = cw_oauth2_request(&oauth2);
    cr_assert_str_eq(call.user, "me%3A1:s%20e%26cret");
    cr_assert(cw_str_eqz(call.body, "grant_type=client_credentials&scope=logs%3Awrite%20b"
                                    "&audience=https%3A%2F%2Fx%2F"),
              "%.*s", CW_STR_ARG(call.body));
    cr_assert_eq(answer(&oauth2, 401, "no"), CW_E_CONFLICT);
    call = cw_oauth2_request(&oauth2);
    cr_assert_null(call.user);
    cr_assert(cw_str_ends(call.body, CW_STR("&client_id=me%3A1&client_secret=s%20e%26cret")));
    cr_assert_eq(answer(&oauth2, 401, "no"), CW_E_UNAVAILABLE);
    cr_assert_not_null(cw_oauth2_request(&oauth2).user, "begun anew");
    cr_assert_eq(answer(&oauth2, 400, "no"), CW_E_CONFLICT);
    cr_assert_eq(answer(&oauth2, 200, "{\"access_token\":\"t\"}"), 0);
    cr_assert_null(cw_oauth2_request(&oauth2).user, "what worked is kept");
    cr_assert_eq(answer(&oauth2, 503, "busy"), CW_E_UNAVAILABLE);
    cr_assert_null(cw_oauth2_request(&oauth2).user, "that said nothing about the way");
    cw_oauth2_fini(&oauth2);
}

Test(oauth2, a_token_is_good_until_shortly_before_its_end)
{
    static const struct {
        const char *life;
        int64_t good_s, bad_s;
    } cases[] = {{"3600", 4589, 4591},
                 {"\"3600\"", 4589, 4591},
                 {"4", 1001, 1003},
                 {"-1", 999999, -1},
                 {"1e300", 999999, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_oauth2 oauth2;
        char body[200];
        cw_oauth2_init(&oauth2, &config);
        cr_assert(!cw_oauth2_good(&oauth2, 0));
        snprintf(body, sizeof body,
                 "{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":%s}",
                 cases[i].life);
        cr_assert_eq(answer(&oauth2, 200, body), 0, "%s", err.text);
        cr_expect(cw_oauth2_good(&oauth2, cases[i].good_s * CW_NS_PER_S), "%s", cases[i].life);
        if (cases[i].bad_s > 0)
            cr_expect(!cw_oauth2_good(&oauth2, cases[i].bad_s * CW_NS_PER_S), "%s", cases[i].life);
        cw_oauth2_forget(&oauth2);
        cr_assert(!cw_oauth2_good(&oauth2, 0));
        cw_oauth2_fini(&oauth2);
    }
}

Test(oauth2, what_is_no_token_is_told)
{
    static const char *const cases[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"access_token\":\"\"}",
                                        "{\"access_token\":\"a\\r\\nX: y\"}",
                                        "{\"access_token\":\"a\",\"token_type\":\"mac\"}"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_oauth2 oauth2;
        cw_oauth2_init(&oauth2, &config);
        cr_expect_eq(answer(&oauth2, 200, cases[i]), CW_E_UNAVAILABLE, "%s", cases[i]);
        cr_expect(strstr(err.text, "http://h/token") != NULL, "%s", err.text);
        cw_oauth2_fini(&oauth2);
    }
}
