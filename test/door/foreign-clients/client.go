// Gets an access token by discovery and verifies it against the published keys, with Go's standard library alone.
//
// Environment: ISSUER, CLIENT_ID, CLIENT_SECRET, AUDIENCE. Prints the claims as JSON, or ends with what is wrong.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

type metadata struct {
	Issuer        string `json:"issuer"`
	TokenEndpoint string `json:"token_endpoint"`
	KeySet        string `json:"jwks_uri"`
}

type grant struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
}

type key struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	ID    string `json:"kid"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

func require(holds bool, what any) {
	if !holds {
		log.Fatalln(what)
	}
}

func read(res *http.Response, err error, into any) {
	require(err == nil, err)
	defer res.Body.Close()
	require(res.StatusCode == http.StatusOK, res.Status)
	err = json.NewDecoder(res.Body).Decode(into)
	require(err == nil, err)
}

func get(address string, into any) {
	res, err := http.Get(address)
	read(res, err, into)
}

func decode(text string) []byte {
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	require(err == nil, err)
	return bytes
}

// ask sends client id and secret by HTTP Basic, each form-encoded first (RFC 6749, 2.3.1).
func ask(endpoint string) (granted grant) {
	form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
	req, err := http.NewRequest("POST", endpoint, form)
	require(err == nil, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(os.Getenv("CLIENT_ID")), url.QueryEscape(os.Getenv("CLIENT_SECRET")))
	res, err := http.DefaultClient.Do(req)
	read(res, err, &granted)
	return granted
}

func publicKey(address, id string) *ecdsa.PublicKey {
	var published struct {
		Keys []key `json:"keys"`
	}
	get(address, &published)
	for _, one := range published.Keys {
		if one.ID != id || one.Type != "EC" || one.Curve != "P-256" {
			continue
		}
		x, y := new(big.Int).SetBytes(decode(one.X)), new(big.Int).SetBytes(decode(one.Y))
		return &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}
	}
	log.Fatalln("the key is not published")
	return nil
}

func main() {
	issuer := os.Getenv("ISSUER")
	var server metadata
	get(issuer+"/.well-known/openid-configuration", &server)
	require(server.Issuer == issuer, "issuer")
	granted := ask(server.TokenEndpoint)
	require(granted.TokenType == "Bearer", "token type")

	parts := strings.Split(granted.AccessToken, ".")
	require(len(parts) == 3, "parts")
	var header struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
		KeyID     string `json:"kid"`
	}
	require(json.Unmarshal(decode(parts[0]), &header) == nil, "header")
	require(header.Algorithm == "ES256" && header.Type == "at+jwt", "algorithm or type")
	signature := decode(parts[2])
	require(len(signature) == 64, "signature length")
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	public := publicKey(server.KeySet, header.KeyID)
	require(ecdsa.Verify(public, digest[:], r, s), "signature")
	digest[0] ^= 1
	require(!ecdsa.Verify(public, digest[:], r, s), "signature of something else")

	payload := decode(parts[1])
	var said claims
	require(json.Unmarshal(payload, &said) == nil, "claims")
	require(said.Issuer == issuer && said.Audience == os.Getenv("AUDIENCE"), "issuer or audience")
	now := time.Now().Unix()
	require(said.IssuedAt-60 < now && now < said.Expires, "time")
	require(said.Expires == said.IssuedAt+granted.ExpiresIn, "lifetime")
	fmt.Println(string(payload))
}
