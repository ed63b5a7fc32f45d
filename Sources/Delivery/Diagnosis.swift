import Model

/// Finds out whether settings that a destination refuses belong to another of its addresses, so that a wrong address is
/// told from a wrong key.
struct Diagnosis: Sendable {
    let sender: HTTPSender

    /// The reason with what the other addresses said; the reason alone where there are none or they could not be asked.
    func explain(_ reason: String, _ alternatives: [Alternative], _ adapter: any DestinationAdapter) async -> String {
        // Only a key that is refused can be at home elsewhere.
        guard !alternatives.isEmpty, let probe = adapter.probe,
            case .response(let answer) = await sender.send(probe), answer.status == 401
        else { return reason }
        let verdicts = await withTaskGroup(of: (Alternative, ProbeVerdict).self) { group in
            for alternative in alternatives {
                group.addTask { (alternative, adapter.verdict(onProbe: await sender.send(alternative.probe))) }
            }
            var verdicts: [(Alternative, ProbeVerdict)] = []
            for await verdict in group { verdicts.append(verdict) }
            return verdicts
        }
        if let match = verdicts.filter({ $0.1 == .working }).map(\.0.name).min() {
            return "The key belongs to \(match): choose that data centre in the settings. (\(reason))"
        }
        let refused = verdicts.count { if case .misconfigured = $0.1 { true } else { false } }
        guard refused == alternatives.count else { return reason }
        return "No data centre accepts this key, so it is the key that is wrong: make or copy it anew. (\(reason))"
    }
}
