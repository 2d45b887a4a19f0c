/**
 * A certificate for localhost, 127.0.0.1 and ::1, signed by itself, valid for 100 years, for tests only: its key is here for everybody.
 * Made with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost -addext ...`.
 */
export const localhostCertificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBwjCCAWigAwIBAgIUIslpt6AyXyw3DfEWNIBhWddiF3gwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE5NTcxMloYDzIxMjYxMDI5
MTk1NzEyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATpV9MxQ4RruniMSgYygyHnM1DyB6oFA5qb71ZwZJc1/Nc2WjBNR8Ol
ezZ6ER1NAG3C6SgAXTAiyFrlCsJCWJ2Xo4GVMIGSMB0GA1UdDgQWBBSz3VpL5ybd
c6zSLRZZfw5GjbrPKzAfBgNVHSMEGDAWgBSz3VpL5ybdc6zSLRZZfw5GjbrPKzAP
BgNVHRMBAf8EBTADAQH/MD8GA1UdEQQ4MDaCCWxvY2FsaG9zdIIRc2hvcC5leGFt
cGxlLnRlc3SHBH8AAAGHEAAAAAAAAAAAAAAAAAAAAAEwCgYIKoZIzj0EAwIDSAAw
RQIhAPusLt0EJaHhBCI+IG/jn87Hd0SYmlVuDRJ+iaMf+IbxAiB+g0EImGaFSLto
TGpOeFjSxnabsH74ysp7OcrAmRmBKQ==
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSNhBfNsxUAwYiHA4
FTpduTyZCO7myodf9P40lQZI78yhRANCAATpV9MxQ4RruniMSgYygyHnM1DyB6oF
A5qb71ZwZJc1/Nc2WjBNR8OlezZ6ER1NAG3C6SgAXTAiyFrlCsJCWJ2X
-----END PRIVATE KEY-----`,
}
