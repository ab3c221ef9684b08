#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/digest.h"

static void expect_hex(const uint8_t *bytes, size_t n, const char *want)
{
    char hex[2 * CW_SHA512_BYTES + 1];
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    cr_expect_str_eq(hex, want);
}

/* The examples of the standards, and lengths around a block; others by Python's hashlib. */
static const struct {
    size_t n; /* bytes 'a'; SIZE_MAX: "abc" */
    const char *sha1, *sha256, *sha3;
} rows[] = {
    {SIZE_MAX, "a9993e364706816aba3e25717850c26c9cd0d89d",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
    {0, "da39a3ee5e6b4b0d3255bfef95601890afd80709",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"},
    {1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
     "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
     "80084bf2fba02475726feb2cab2d8215eab14bc6bdd8bfb2c8151257032ecd8b"},
    {55, "c1c8bbdc22796e28c0e15163d20899b65621d65a",
     "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318",
     "78c2a04624b9328ae0e40cb8cdd29980f6ff55abf2dca68e3412d09eed4b9d03"},
    {56, "c2db330f6083854c99d4b5bfb6e8f29f201be699",
     "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a",
     "f6fe8de5c8f5014786f07e9f7b08130f920dd55e587d47021686b26cf2323deb"},
    {63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5",
     "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34",
     "552b1c47d42b5591c4d191324be3a567d8f054dfed89eefa6674eaf3dec9ad86"},
    {64, "0098ba824b5c16427bd7a1122a5a442a25ec644d",
     "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb",
     "043d104b5480439c7acff8831ee195183928d9b7f8fcb0c655a086a87923ffee"},
    {65, "11655326c708d70319be2610e8a57d9a5b959d3b",
     "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0",
     "ac95a2d33713281e64db879a478235f492e80f584df4acd2466462bce4110154"},
    {119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56",
     "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb",
     "b3601ba4f5087e26845f13b42d676fd89fb19af6076523cfee74f2a49a295f66"},
    {120, "f34c1488385346a55709ba056ddd08280dd4c6d6",
     "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c",
     "1f81a6276d67f626c68b8c5bb94ce2b3c2145c7093517a8eb7135d0a67863992"},
    {135, "71f9ed42b368201e6e0facebedefc3f46575b67b",
     "dfa58dfd72f3c7080d0249a7758fd3636872f63fa24b18473ed36f031e248347",
     "8094bb53c44cfb1e67b7c30447f9a1c33696d2463ecc1d9c92538913392843c9"},
    {136, "d8db8554295cc90abae5ce8b7595171041f2a051",
     "6f0e44b9ce4ea61d52a3479c10f60ef916937f799f11964b7f1c7771063905c4",
     "3fc5559f14db8e453a0a3091edbd2bc25e11528d81c66fa570a4efdcc2695ee1"},
    {137, "a59ae586b7704ca9cb92d8fc7ba95e4fc57f52d1",
     "b6dc2da678c065ebdce374ebe1842728277203ee1a9a29832f058cf013d5ad85",
     "f8d6846cedd2ccfadf15c5879ef95af724d799eed7391fb1c91f95344e738614"},
    {271, "34256514589258f13865f80f187b57ec4d9c75c1",
     "dcc28b75581791a1043f5dd56412bf050234cd7cdf3c9ffffcf971122e043c76",
     "e79e5c6fef1bb5fdea2717ca27e88399e9b64699d1b3eb8e30f314fa055214e8"},
    {272, "2b76c273b38eea12693fa61c5dee3d4ddccb032f",
     "d6dda67606ad95d02382e805077f059e451e8d1fb17d81c683a113a2a53b25c3",
     "a490357b9b3fb39d0a89a117734e5b020b1f33c7bf3fa3575c396425432003d3"},
    {400, "f475597b627a4d580ec1619a94c7afb9cc75abe4",
     "abd5e54be3f59d8ee4943b2380def17f546e604cc51da8b9c93f591f205e75db",
     "cc5edabab1231d0fe1465ccb5dbbee408a7d3f5c4b2e16c447baaafc9460f2dc"},
};

Test(digest, sha_digests_are_those_of_the_standards)
{
    static char as[400];
    memset(as, 'a', sizeof as);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_str text = rows[i].n == SIZE_MAX ? CW_STR("abc") : cw_str_make(as, rows[i].n);
        uint8_t out[32];
        cw_sha1(text, out);
        expect_hex(out, CW_SHA1_BYTES, rows[i].sha1);
        cw_sha256(text, out);
        expect_hex(out, CW_SHA256_BYTES, rows[i].sha256);
        cw_sha3_256(text, out);
        expect_hex(out, CW_SHA3_256_BYTES, rows[i].sha3);
    }
}

Test(digest, sha512)
{
    uint8_t out[CW_SHA512_BYTES];
    cw_sha512(CW_STR("abc"), out);
    expect_hex(
        out, sizeof out,
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c2"
        "3a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    cr_assert(cw_digest_equal("abc", "abd", 2) && !cw_digest_equal("abc", "abd", 3));
}

/* RFC 1321, A.5; the lengths about a block's end by another implementation. */
Test(digest, md5_digests_are_the_standards)
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
        uint8_t digest[CW_MD5_BYTES];
        size_t len = 0, n = strlen(cases[i].text);
        for (int k = 0; k < cases[i].times; k++, len += n)
            memcpy(text + len, cases[i].text, n);
        cw_md5(cw_str_make(text, len), digest);
        for (int k = 0; k < 16; k++)
            snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        cr_expect_str_eq(hex, cases[i].hex, "%s times %d", cases[i].text, cases[i].times);
    }
}
