#!/bin/sh
# Signs a client-signed JWT with nothing but openssl and the shell, as a provider may.
#
#   sign-with-openssl.sh KEY CERTIFICATE ALG ISSUER IAT EXP [START_LOGON]
#
# KEY and CERTIFICATE are PEM files; ALG is RS256, RS384, RS512, ES256, ES384 or ES512. ISSUER and START_LOGON go into
# JSON as they are, so they must hold no quotes and no backslashes. Prints the token.
set -eu

key=$1 certificate=$2 alg=$3 issuer=$4 iat=$5 exp=$6 logon=${7:-}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

thumbprint=$(openssl x509 -in "$certificate" -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d ':')
header=$(printf '{"alg":"%s","typ":"JWT","kid":"M2M"}' "$alg" | base64url)
payload=$(printf '{"sub":"%s","iss":"%s","startLogon":"%s","iat":%s,"exp":%s}' \
    "$thumbprint" "$issuer" "$logon" "$iat" "$exp" | base64url)

# A JOSE signature by a curve is R and S side by side, each at full width (RFC 7518 section 3.4); openssl writes
# SEQUENCE { INTEGER R, INTEGER S }. Its asn1parse prints the two numbers in hex without leading zeros.
raw_signature() {
    width=$1
    openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p' | while read -r number; do
        while [ "${#number}" -lt "$width" ]; do number=0$number; done
        for byte in $(printf '%s' "$number" | sed 's/../& /g'); do
            # shellcheck disable=SC2059 # the format is the byte
            printf "\\$(printf '%03o' "0x$byte")"
        done
    done
}

hash=-sha${alg#??}
case $alg in
    RS*) signature=$(printf '%s.%s' "$header" "$payload" | openssl dgst "$hash" -sign "$key" | base64url) ;;
    ES256) signature=$(printf '%s.%s' "$header" "$payload" | openssl dgst "$hash" -sign "$key" | raw_signature 64 | base64url) ;;
    ES384) signature=$(printf '%s.%s' "$header" "$payload" | openssl dgst "$hash" -sign "$key" | raw_signature 96 | base64url) ;;
    ES512) signature=$(printf '%s.%s' "$header" "$payload" | openssl dgst "$hash" -sign "$key" | raw_signature 132 | base64url) ;;
    *) echo "unknown algorithm $alg" >&2; exit 2 ;;
esac
printf '%s.%s.%s\n' "$header" "$payload" "$signature"
