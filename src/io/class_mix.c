/* class_mix.c: classes of generated requests, with their shares. */
#include "class_mix.h"

#include <stdlib.h>
#include <string.h>

#include "class_names.h"
#include "lengths.h"

struct llmsim_class_mix {
    struct llmsim_class_names names;   /* class_id i is entry i - 1 of the mix */
    double sums[LLMSIM_MAX_CLASS_MIX]; /* of the shares up to each */
    uint16_t n;
};

/* Returns what is wrong with it, or NULL. */
static const char *add_name(struct llmsim_class_mix *mix, const char *name, size_t n)
{
    const char *fault;
    if (n == 0)
        return "is empty; expected the name of a class";
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return "has a control character; expected the name of a class";
    uint16_t id = llmsim_class_names_add(&mix->names, name, n, &fault);
    if (fault != NULL)
        return fault;
    return id == mix->n + 1 ? NULL : "stands there twice; expected it once";
}

/* "NAME=SHARE" at *p, which is moved behind. */
static enum llmsim_status add_class(struct llmsim_class_mix *mix, const char **p,
                                    struct llmsim_error *err)
{
    const char *name = *p;
    size_t n = strcspn(name, "=,");
    double share;
    *p += n + 1;
    if (name[n] != '=' || !llmsim_lengths_read_number(p, ",", &share) || !(share > 0))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "'%s': expected NAME=SHARE,NAME=SHARE,... with shares above 0", name);
    const char *fault = add_name(mix, name, n);
    if (fault != NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "'%.*s' %s", (int)n, name, fault);
    mix->sums[mix->n] = share + (mix->n > 0 ? mix->sums[mix->n - 1] : 0);
    mix->n++;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_class_mix_parse(const char *text, struct llmsim_class_mix **mix,
                                          struct llmsim_error *err)
{
    *mix = calloc(1, sizeof **mix);
    if (*mix == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = LLMSIM_OK;
    for (const char *p = text; status == LLMSIM_OK; p++) {
        if ((*mix)->n == LLMSIM_MAX_CLASS_MIX)
            status = llmsim_fail(err, LLMSIM_USAGE, "'%s': expected at most %u classes", text,
                                 LLMSIM_MAX_CLASS_MIX);
        else
            status = add_class(*mix, &p, err);
        if (status == LLMSIM_OK && *p == '\0')
            return LLMSIM_OK;
    }
    llmsim_class_mix_destroy(*mix);
    *mix = NULL;
    return status;
}

void llmsim_class_mix_destroy(struct llmsim_class_mix *mix)
{
    free(mix);
}

uint16_t llmsim_class_mix_draw(const struct llmsim_class_mix *mix, struct llmsim_random *random)
{
    double x = llmsim_random_uniform(random) * mix->sums[mix->n - 1];
    uint16_t i = 0;
    while (i + 1 < mix->n && x >= mix->sums[i])
        i++;
    return (uint16_t)(i + 1);
}

const char *llmsim_class_mix_name(const struct llmsim_class_mix *mix, uint16_t class_id)
{
    return mix->names.names[class_id].text;
}
