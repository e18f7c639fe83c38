#include "gsl_errors.h"

#include <gsl/gsl_errno.h>
#include <pthread.h>
#include <stddef.h>

static void replace_default(void)
{
    gsl_error_handler_t *handler = gsl_set_error_handler_off();
    if (handler != NULL) /* NULL is the default */
        (void)gsl_set_error_handler(handler);
}

void llmsim_gsl_return_errors(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, replace_default);
}
