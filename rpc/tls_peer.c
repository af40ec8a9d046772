/* Names in certificates are bytes that someone else chose: what is not
 * printable ASCII, or holds a NUL that would cut a longer name short, names
 * nobody. */
#include "rpc/tls_internal.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_BYTES_MAX = 2048, /* of a SPIFFE ID, by its specification */
    ABSENT = -1,           /* else it is there, and broken or twice */
};

static const char spiffe[] = "spiffe://";

static bool is_printable(const unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return size > 0 && size <= NAME_BYTES_MAX;
}

/* NULL for a name that will not do. */
static char *copy_of(const ASN1_STRING *name)
{
    const unsigned char *text = ASN1_STRING_get0_data(name);
    size_t size = (size_t)ASN1_STRING_length(name);
    return is_printable(text, size) ? strndup((const char *)text, size) : NULL;
}

/* The only name of this kind, or the first; NULL without one. */
static const ASN1_STRING *find(const GENERAL_NAMES *names, int kind, int *count)
{
    const ASN1_STRING *first = NULL;
    *count = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != kind)
            continue;
        if ((*count)++ == 0)
            first = name->d.ia5;
    }
    return first;
}

static bool is_spiffe(const char *text)
{
    return strncmp(text, spiffe, sizeof spiffe - 1) == 0;
}

/* An X.509 SVID has exactly one URI (SPIFFE X509-SVID, section 2). */
static char *spiffe_id(const GENERAL_NAMES *names)
{
    int count;
    const ASN1_STRING *uri = find(names, GEN_URI, &count);
    char *text = count == 1 ? copy_of(uri) : NULL;
    if (text != NULL && is_spiffe(text))
        return text;
    free(text);
    return NULL;
}

static char *alternative_name(const GENERAL_NAMES *names)
{
    char *text = spiffe_id(names);
    if (text != NULL)
        return text;
    int count;
    const ASN1_STRING *dns = find(names, GEN_DNS, &count);
    text = dns != NULL ? copy_of(dns) : NULL;
    if (text == NULL || !is_spiffe(text))
        return text;
    free(text); /* dressed up as the other kind */
    return NULL;
}

static char *common_name(const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return NULL;
    char *text =
        copy_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (text == NULL || !is_spiffe(text))
        return text;
    free(text);
    return NULL;
}

char *tls_peer_identity(const struct tls *tls)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (certificate == NULL || SSL_get_verify_result(tls->ssl) != X509_V_OK)
        return NULL;
    int critical;
    GENERAL_NAMES *names =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    if (names == NULL)
        return critical == ABSENT ? common_name(certificate) : NULL;
    char *text = alternative_name(names);
    GENERAL_NAMES_free(names);
    return text;
}
