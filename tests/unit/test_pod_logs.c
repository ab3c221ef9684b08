#include <criterion/criterion.h>
#include "common/base/assert.h"
#include "shipper/pod_logs.h"

Test(pod_logs, a_folders_name_has_three_parts)
{
    static const struct {
        const char *name, *namespace, *pod, *uid;
    } cases[] = {
        {"kube-system_coredns-5d7_0f1e-22", "kube-system", "coredns-5d7", "0f1e-22"},
        {"a_b.c_d", "a", "b.c", "d"},
        {"a_b", NULL, NULL, NULL},
        {"a_b_", NULL, NULL, NULL},
        {"_b_c", NULL, NULL, NULL},
        {"a__c", NULL, NULL, NULL},
        {"a_b_c_d", NULL, NULL, NULL},
        {"", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_str namespace, pod, uid;
        bool good = cw_pod_logs_folder(cw_str_of(cases[i].name), &namespace, &pod, &uid);
        cr_assert_eq(good, cases[i].namespace != NULL, "%s", cases[i].name);
        if (good)
            cr_expect(cw_str_eqz(namespace, cases[i].namespace) && cw_str_eqz(pod, cases[i].pod) &&
                          cw_str_eqz(uid, cases[i].uid),
                      "%s", cases[i].name);
    }
}
