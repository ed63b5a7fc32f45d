import ArgumentParser
import Foundation
import JSON
import NIOHTTP1

struct RetentionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retention",
        abstract: "Show how long a running server keeps events, and change it.",
        discussion: """
            Without options it shows the rules. With rules it tells what they would delete and changes nothing, unless \
            --apply says so.

              muster retention --days 365 --event 'Page Viewed=90' --event 'Order Completed=forever'

            What was deleted can't be brought back, not even by keeping events longer again.
            """)

    @Option(help: "Address of the running server. Its password is read from MUSTER_ADMIN_PASSWORD.")
    var url = "http://127.0.0.1:7700"

    @Option(help: "How many days events are kept, or 'forever'.")
    var days: String?

    @Option(
        name: .customLong("event"),
        help: "NAME=DAYS, NAME=forever, or NAME=default to end an exception. May be repeated.")
    var events: [String] = []

    @Flag(help: "Put the rules in force and delete what is too old.")
    var apply = false

    private static let path = "/spaces/default/retention"

    func run() async throws {
        try await ServerClient.run(url) { client in
            let current = try await client.call(.GET, Self.path)["retention"] ?? .null
            guard days != nil || !events.isEmpty else { return tell(current) }
            let rules = try rules(from: current)
            let estimate = try await client.call(.PUT, Self.path + "?dryRun=true", rules)["dryRun"] ?? .null
            tell(estimate: estimate)
            guard apply else { return print("Nothing was changed: add --apply to do it.") }
            tell(try await client.call(.PUT, Self.path, rules)["retention"] ?? .null)
        }
    }

    /// The rules as they are, with what the options change.
    private func rules(from current: JSONValue) throws -> JSONValue {
        let general = try days.map { try Self.age($0, "--days") } ?? current["days"] ?? .null
        var names = current["events"]?.object ?? [:]
        for event in events {
            guard let place = event.lastIndex(of: "="), place > event.startIndex else {
                throw ValidationError("--event must be NAME=DAYS, for example --event 'Page Viewed=90'")
            }
            let (name, age) = (String(event[..<place]), String(event[event.index(after: place)...]))
            let days: JSONValue? = age == "default" ? .none : .some(try Self.age(age, "--event \(name)"))
            names[name] = days
        }
        return ["days": general, "events": .object(names)]
    }

    private static func age(_ text: String, _ option: String) throws -> JSONValue {
        if text == "forever" { return .null }
        guard let days = Int(text) else { throw ValidationError("\(option): '\(text)' is no number of days") }
        return .number(days)
    }

    private func tell(_ retention: JSONValue) {
        print("Events are kept \(Self.words(retention["days"]))")
        for (name, age) in retention["events"]?.object?.members ?? [] { print("  \(name): \(Self.words(age))") }
        print("Last deleted: \(retention["lastExpiryAt"]?.string ?? "never")")
        if let next = retention["nextExpiryAt"]?.string { print("Next time: \(next)") }
        tell(readers: retention)
    }

    private func tell(estimate: JSONValue) {
        func count(_ value: JSONValue, _ name: String) -> Int { value[name]?.integer ?? 0 }
        print(
            "This deletes \(count(estimate, "events")) events of \(count(estimate, "people")) people, "
                + "about \(count(estimate, "bytes")) bytes")
        for name in estimate["names"]?.array ?? [] {
            print(
                "  \(name["event"]?.string ?? ""): \(count(name, "events")) of \(count(name, "total")) events, "
                    + "\(count(name, "people")) people")
        }
        for name in estimate["unknownEvents"]?.array?.compactMap(\.string) ?? [] {
            print("No event '\(name)' was seen so far: is the name spelt as it is sent?")
        }
        tell(readers: estimate)
    }

    private func tell(readers value: JSONValue) {
        for reader in value["readers"]?.array ?? [] {
            let reach = reader["looksBackDays"]?.integer.map { "\($0) days back" } ?? "back without limit"
            print(
                "'\(reader["name"]?.string ?? "")' looks \(reach) at '\(reader["event"]?.string ?? "")', "
                    + "which is kept \(Self.words(reader["keptDays"]))")
        }
    }

    private static func words(_ days: JSONValue?) -> String {
        days?.integer.map { "for \($0) day\($0 == 1 ? "" : "s")" } ?? "for ever"
    }
}
