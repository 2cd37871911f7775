#!/usr/bin/env bash
# Signs a client-signed JWT with openssl alone: sign.sh ALG KEY CERTIFICATE ISSUER
set -euo pipefail

alg=$1 key=$2 certificate=$3 issuer=$4

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# The thumbprint: SHA-256 over the certificate's DER, in hex without colons.
thumbprint=$(openssl x509 -in "$certificate" -noout -fingerprint -sha256 | cut -d= -f2 | tr -d ':')
now=$(date +%s)
header=$(printf '{"alg":"%s","typ":"JWT","kid":"M2M"}' "$alg" | base64url)
payload=$(printf '{"sub":"%s","iss":"%s","startLogon":"","iat":%d,"exp":%d}' \
    "$thumbprint" "$issuer" "$now" $((now + 600)) | base64url)

case $alg in
RS*)
    signature=$(printf '%s.%s' "$header" "$payload" | openssl dgst "-sha${alg#RS}" -sign "$key" | base64url)
    ;;
ES*)
    # openssl writes ECDSA signatures in DER; a JWS has r and s side by side (RFC 7518 section 3.4).
    case $alg in ES256) digits=64 ;; ES384) digits=96 ;; ES512) digits=132 ;; esac
    raw=$(printf '%s.%s' "$header" "$payload" | openssl dgst "-sha${alg#ES}" -sign "$key" |
        openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p' |
        while read -r number; do printf "%${digits}s" "$number" | tr ' ' '0'; done)
    signature=$(printf '%s' "$raw" | sed 's/../\\x&/g' | xargs -0 printf '%b' | base64url)
    ;;
esac
printf '%s.%s.%s\n' "$header" "$payload" "$signature"
