#include "sha256.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdalign.h>
#include <stdio.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct llmsim_sha256) &&
                   alignof(SHA256_CTX) <= alignof(struct llmsim_sha256),
               "there is room for OpenSSL's state");

/* They return 1, whatever happens. */
void llmsim_sha256_init(struct llmsim_sha256 *sha)
{
    (void)SHA256_Init((SHA256_CTX *)sha->state);
}

void llmsim_sha256_update(struct llmsim_sha256 *sha, const void *bytes, size_t n)
{
    (void)SHA256_Update((SHA256_CTX *)sha->state, bytes, n);
}

void llmsim_sha256_final(struct llmsim_sha256 *sha, char hex[static LLMSIM_SHA256_TEXT])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    (void)SHA256_Final(digest, (SHA256_CTX *)sha->state);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
