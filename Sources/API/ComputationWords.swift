import JSON
import Model

/// The words by which audiences and computed traits differ in the Public API (spec: engage §6.1, §6.2).
struct ComputationWords: Sendable {
    let kind: Computation.Kind
    /// Below the space.
    let path: String
    /// Members of answers.
    let one: String
    let many: String
    let preview: String
    /// In sentences.
    let noun: String
    let idPrefix: String

    static let audience = ComputationWords(
        kind: .audience, path: "/audiences", one: "audience", many: "audiences", preview: "audiencePreview",
        noun: "audience", idPrefix: "aud_")
    static let trait = ComputationWords(
        kind: .trait, path: "/computed-traits", one: "computedTrait", many: "computedTraits",
        preview: "computedTraitPreview", noun: "computed trait", idPrefix: "tra_")
    static let all = [audience, trait]
}

/// Ids of things that people create.
enum NewID {
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

    /// The prefix and 27 base62 characters: 160 random bits.
    static func make(_ prefix: String) -> String {
        prefix + String((0..<27).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] })
    }
}

/// The key of a name: snake_case, so `Dormant Shoppers` becomes `dormant_shoppers` (spec: engage §7.3). Letters of any
/// script stay; empty where the name has none.
func computationKey(of name: String) -> String {
    name.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "_")
}
