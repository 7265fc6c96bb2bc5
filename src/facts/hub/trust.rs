//! Whose certificates are believed.
//!
//! Those of the machine, or those that `SSL_CERT_FILE` names and no others, as `hf` has it; KServe names
//! more beside those of the machine. A
//! certificate that vouches for itself is what a hub at home mostly has. webpki refuses it where it
//! is marked as an authority, which is what `openssl req -x509` makes; to OpenSSL, and so to `hf`
//! and curl, it is as good as any other that the user has named.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_native_certs::load_certs_from_paths;

use super::HubError;
use super::store::printable;
use crate::limits::LONGEST_CERTIFICATES;
use crate::options::NetworkOptions;
use crate::regular_file;

/// Believes what `usual` believes, and the very certificates that the user has named.
#[derive(Debug)]
struct Verifier {
    usual: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

/// How TLS is spoken with a hub. Blocking.
///
/// # Errors
/// [`HubError::Certificates`], when the file that was named cannot be used.
pub(super) fn client_config(network: &NetworkOptions) -> Result<ClientConfig, HubError> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has what the versions of TLS need that rustls speaks");
    let mut roots = RootCertStore::empty();
    if network.certificates.is_none() {
        roots.add_parsable_certificates(of_the_machine());
    }
    let named_in = network.certificates.as_ref().or(network.more_certificates.as_ref());
    let Some(file) = named_in else {
        // A machine without any is no error: not every hub is asked with TLS.
        return Ok(config.with_root_certificates(roots).with_no_client_auth());
    };
    let named = named(file)?;
    roots.add_parsable_certificates(named.iter().cloned());
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(file, &error.to_string()))?;
    let verifier = Arc::new(Verifier { usual, named });
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// A machine may have no certificates, or some that nobody can read.
fn of_the_machine() -> Vec<CertificateDer<'static>> {
    let found = openssl_probe::probe();
    let read = |file, folder| load_certs_from_paths(file, folder).certs;
    let file = read(found.cert_file.as_deref(), None);
    if !file.is_empty() {
        return file;
    }
    found.cert_dir.iter().flat_map(|folder| read(None, Some(folder.as_path()))).collect()
}

fn named(file: &Path) -> Result<Vec<CertificateDer<'static>>, HubError> {
    let text = regular_file::bytes(file, LONGEST_CERTIFICATES)
        .map_err(|error| unusable(file, &error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&text).filter_map(Result::ok);
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() {
        return Err(unusable(file, "it has no certificate (PEM)"));
    }
    Ok(certificates)
}

fn unusable(file: &Path, reason: &str) -> HubError {
    HubError::Certificates { path: file.to_path_buf(), reason: printable(reason) }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let usual =
            self.usual.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
        // webpki looks at the dates first. What is left of its errors is here that the certificate is an
        // authority's.
        let for_itself =
            matches!(usual, Err(Error::InvalidCertificate(CertificateError::Other(_))));
        if !for_itself || !self.named.iter().any(|named| named == certificate) {
            return usual;
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(file: &Path) -> String {
        let certificates = Some(file.to_path_buf());
        let network = NetworkOptions { certificates, ..NetworkOptions::default() };
        client_config(&network).unwrap_err().to_string()
    }

    #[test]
    fn a_file_of_certificates_that_has_none_is_named_with_its_variable() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("gone.pem");
        let said = refused(&missing);
        assert!(said.contains("`SSL_CERT_FILE`") && said.contains("gone.pem"), "{said}");
        assert!(said.contains("No such file"), "{said}");
        let empty = folder.path().join("empty.pem");
        fs_err::write(&empty, "no certificate").unwrap();
        assert!(refused(&empty).contains("it has no certificate (PEM)"));
        assert!(refused(folder.path()).contains("is a folder"), "{}", refused(folder.path()));
    }

    #[test]
    fn a_machine_is_believed_as_it_is() {
        client_config(&NetworkOptions::default()).unwrap();
    }
}
