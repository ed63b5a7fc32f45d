import Crypto

/// HMAC-SHA256 over `<seconds>.<body>`. The instant is part of what is signed, so that a receiver can refuse a request
/// that somebody recorded and sends again later.
struct WebhookSignature {
    /// The secret of now, and while secrets are exchanged also the one before.
    let secrets: [String]

    /// `t=1767225600,v1=<hex>`, with one `v1` per secret. A receiver accepts any of them.
    func header(over body: [UInt8], seconds: Int64) -> String {
        let signatures = secrets.map { ",v1=" + Self.hex(Self.code(secret: $0, seconds: seconds, body: body)) }
        return "t=\(seconds)" + signatures.joined()
    }

    private static func code(secret: String, seconds: Int64, body: [UInt8]) -> some Sequence<UInt8> {
        var code = HMAC<SHA256>(key: SymmetricKey(data: Array(secret.utf8)))
        code.update(data: Array("\(seconds).".utf8))
        code.update(data: body)
        return code.finalize()
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
