import Foundation

/// Base64 in the alphabet that addresses take.
enum Base64 {
    static func encode(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().filter { $0 != "=" }.map { character -> String in
            switch character {
            case "+": "-"
            case "/": "_"
            default: String(character)
            }
        }.joined()
    }

    /// Reads both alphabets, with or without padding; `nil` for anything else.
    static func decode(_ text: String) -> String? {
        var standard = String(
            text.map { character -> Character in
                switch character {
                case "-": "+"
                case "_": "/"
                default: character
                }
            })
        while standard.count % 4 != 0 { standard += "=" }
        return Data(base64Encoded: standard).flatMap { String(data: $0, encoding: .utf8) }
    }
}
