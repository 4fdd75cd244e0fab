#include <openssl/crypto.h>

#include "hash/hash.h"

const char *dsp_crypto_version(void) { return OpenSSL_version(OPENSSL_VERSION_STRING); }
bool        dsp_crypto_usable(void) { return OpenSSL_version_num() >= 0x30000000ul; }
