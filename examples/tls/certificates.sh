#!/bin/sh
# Make an authority of your own, and what it signs: a certificate for the gateway, and one for each client.
# usage: certificates.sh DIRECTORY HOST CLIENT...
set -eu
directory=$1 host=$2
shift 2
umask 077
mkdir -p "$directory"
cd "$directory"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2> /dev/null; }

sign() { # NAME PURPOSE NAMES
    key "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$2" "$3" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile "$1.ext" \
        -out "$1.pem" 2> /dev/null
    rm "$1.csr" "$1.ext"
    echo "$directory/$1.pem"
}

if [ ! -e ca.pem ]; then
    key ca.key
    openssl req -new -x509 -key ca.key -subj "/CN=Certificates of the VOEvent gateway" -days 3650 \
        -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem
fi
sign gateway serverAuth "DNS:$host"
for client in "$@"; do
    sign "$client" clientAuth "DNS:$client"
done
