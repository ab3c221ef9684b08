#include <criterion/criterion.h>
#include <stdio.h>
#include "common/base/md5.h"

/* RFC 1321, A.5; the lengths about a block's end by another implementation. */
Test(md5, digests_are_the_standards)
{
    static const struct {
        const char *text;
        int times;
        const char *hex;
    } cases[] = {
        {"", 1, "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", 1, "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", 1, "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", 1, "f96b697d7cb7938d525a2f31aaf161d0"},
        {"1234567890", 8, "57edf4a22be3c955ac49da2e2107b67a"},
        {"x", 55, "04364420e25c512fd958a70738aa8f72"},
        {"x", 56, "668a72d5ba17f08e62dabcafad6db14b"},
        {"x", 64, "c1bb4f81d892b2d57947682aeb252456"},
        {"x", 119, "ab347a5f68c8a443cfcddc633f12c24f"},
        {"x", 128, "d69cb61a6ee87200676eb0d4b90edbcb"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256], hex[33];
        unsigned char digest[16];
        size_t len = 0, n = strlen(cases[i].text);
        for (int k = 0; k < cases[i].times; k++, len += n)
            memcpy(text + len, cases[i].text, n);
        cw_md5(cw_str_make(text, len), digest);
        for (int k = 0; k < 16; k++)
            snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        cr_expect_str_eq(hex, cases[i].hex, "%s times %d", cases[i].text, cases[i].times);
    }
}
