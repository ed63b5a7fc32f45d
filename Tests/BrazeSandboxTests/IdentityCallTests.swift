import JSON
import Testing

@testable import BrazeSandbox

/// Identity endpoints and their limits: items 18 and 38–43 of the checklist.
@Suite struct IdentityCallTests {
    let alias: JSONValue = ["alias_name": "anon-7", "alias_label": "device"]

    private func aliasUser(_ test: TestSandbox) -> JSONValue? {
        test.post(
            "/users/export/ids", ["user_aliases": [alias], "fields_to_export": ["external_id", "custom_attributes"]]
        ).json["users"]?[0]
    }

    @Test("18: 51 entries: 400; the five endpoints share one allowance")
    func limits() throws {
        let test = try TestSandbox()
        func many(_ entry: JSONValue) -> JSONValue { .array(Array(repeating: entry, count: 51)) }
        let calls: [(String, JSONValue)] = [
            ("/users/alias/new", ["user_aliases": many(["alias_name": "a", "alias_label": "b"])]),
            (
                "/users/alias/update",
                ["alias_updates": many(["alias_label": "a", "old_alias_name": "b", "new_alias_name": "c"])]
            ),
            ("/users/identify", ["aliases_to_identify": many(["external_id": "u", "user_alias": alias])]),
            (
                "/users/merge",
                [
                    "merge_updates": many([
                        "identifier_to_merge": ["external_id": "a"], "identifier_to_keep": ["external_id": "b"],
                    ])
                ]
            ),
            ("/users/delete", ["external_ids": many("u")]),
        ]
        var remaining: [Int] = []
        for (path, body) in calls {
            let answer = test.post(path, body)
            #expect(answer.status == 400, "\(path)")
            #expect(answer.header("x-ratelimit-limit") == "20000")
            remaining += [answer.header("x-ratelimit-remaining").flatMap { Int($0) }].compactMap { $0 }
        }
        #expect(remaining == [19_999, 19_998, 19_997, 19_996, 19_995])
    }

    @Test("38: an alias for an unknown external id creates nothing; one without creates an alias-only user")
    func newAlias() throws {
        let test = try TestSandbox()
        let bound: JSONValue = ["external_id": "u1", "alias_name": "anon-7", "alias_label": "device"]
        #expect(
            test.post("/users/alias/new", ["user_aliases": [bound]]).json == [
                "aliases_processed": 1, "message": "success",
            ])
        #expect(test.userCount == 0)
        #expect(test.post("/users/alias/new", ["user_aliases": [alias]]).status == 201)
        #expect(test.userCount == 1)
        #expect(aliasUser(test) != nil)
        // A label has one name per user, a pair one user.
        test.track(attributes: [["external_id": "u1"]])
        test.post("/users/alias/new", ["user_aliases": [bound]])
        #expect(test.user("u1")?["user_aliases"] == nil)
    }

    @Test("an alias is renamed unless the new name is taken")
    func renameAlias() throws {
        let test = try TestSandbox()
        test.post("/users/alias/new", ["user_aliases": [alias, ["alias_name": "taken", "alias_label": "device"]]])
        func rename(_ new: String) {
            test.post(
                "/users/alias/update",
                [
                    "alias_updates": [
                        ["alias_label": "device", "old_alias_name": "anon-7", "new_alias_name": .string(new)]
                    ]
                ])
        }
        rename("taken")
        #expect(aliasUser(test) != nil)
        rename("anon-8")
        #expect(aliasUser(test) == nil)
    }

    @Test("39: identify gives a new id to the alias user, or moves what the identified user lacks")
    func identify() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["user_alias": alias, "_update_existing_only": false, "plan": "free", "seen": "Sweater"]
        ])
        let call: JSONValue = ["aliases_to_identify": [["external_id": "u1", "user_alias": alias]]]
        #expect(test.post("/users/identify", call).json == ["aliases_processed": 1, "message": "success"])
        #expect(test.userCount == 1)
        #expect(test.attribute("u1", "plan") == "free")

        let other = try TestSandbox()
        other.track(attributes: [["external_id": "u1", "plan": "pro"]])
        other.track(attributes: [
            ["user_alias": alias, "_update_existing_only": false, "plan": "free", "seen": "Sweater"]
        ])
        other.post("/users/identify", call)
        #expect(other.userCount == 1)
        #expect(other.user("u1")?["custom_attributes"] == ["plan": "pro", "seen": "Sweater"])
        #expect(other.user("u1")?["user_aliases"] == [alias])
    }

    @Test("40: identify does not combine with a user who has an alias of the label")
    func identifySameLabel() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "plan": "pro"]])
        test.post(
            "/users/alias/new",
            ["user_aliases": [["external_id": "u1", "alias_name": "anon-1", "alias_label": "device"]]])
        test.track(attributes: [["user_alias": alias, "_update_existing_only": false, "seen": "Sweater"]])
        test.post("/users/identify", ["aliases_to_identify": [["external_id": "u1", "user_alias": alias]]])
        #expect(test.userCount == 2)
        #expect(test.attribute("u1", "seen") == nil)
    }

    @Test("identify by email follows the prioritization; ambiguity does nothing")
    func identifyEmail() throws {
        let test = try TestSandbox()
        test.track(attributes: [["email": "ann@example.com", "n": 1]])
        test.track(attributes: [["external_id": "other", "email": "ann@example.com", "n": 2]])
        func identify(_ rules: JSONValue) -> Int {
            test.post(
                "/users/identify",
                ["emails_to_identify": [["external_id": "u1", "email": "ann@example.com", "prioritization": rules]]]
            ).status
        }
        #expect(identify(["sometimes"]) == 400)
        #expect(identify(["identified"]) == 201)
        #expect(test.user("u1") == nil, "the match is identified already")
        #expect(identify(["unidentified", "most_recently_updated"]) == 201)
        #expect(test.attribute("u1", "n") == 1)
    }

    @Test("41: merge: 202, kept values win, counts add, first is the earliest, last the latest")
    func merge() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "gone", "plan": "free", "seen": "Sweater"], ["external_id": "kept", "plan": "pro"],
        ])
        test.track(events: [
            test.event("gone", "Opened", -9000), test.event("gone", "Opened", -1000),
            test.event("kept", "Opened", -5000),
        ])
        let call: JSONValue = [
            "merge_updates": [
                ["identifier_to_merge": ["external_id": "gone"], "identifier_to_keep": ["external_id": "kept"]]
            ]
        ]
        let answer = test.post("/users/merge", call)
        #expect(answer.status == 202)
        #expect(answer.json == ["message": "success"])
        #expect(test.user("gone") == nil)
        #expect(test.user("kept")?["custom_attributes"] == ["plan": "pro", "seen": "Sweater"])
        #expect(
            test.event("kept", named: "Opened") == [
                "name": "Opened", "first": test.time(-9000), "last": test.time(-1000), "count": 3,
            ])
        #expect(
            test.members([["kind": "event_x_in_y", "name": "Opened", "op": "exactly", "n": 3, "days": 1]]) == ["kept"])
        #expect(
            test.post("/users/merge", ["merge_updates": "x"]).message == "'merge_updates' must be an array of objects")
        let extra: JSONValue = [
            "merge_updates": [
                ["identifier_to_merge": ["external_id": "a"], "identifier_to_keep": ["external_id": "b"], "x": 1]
            ]
        ]
        #expect(
            test.post("/users/merge", extra).message
                == "'merge_updates' must only have 'identifier_to_merge' and 'identifier_to_keep'")
        let many = JSONValue.array(Array(repeating: call["merge_updates"]?[0] ?? nil, count: 51))
        #expect(
            test.post("/users/merge", ["merge_updates": many]).message
                == "a single request may not contain more than 50 merge updates")
    }

    @Test("42: delete takes one kind of identifier, says how many, and export knows them no more")
    func delete() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "email": "ann@example.com"], ["external_id": "u2"]])
        #expect(test.post("/users/delete", ["external_ids": ["u1"], "braze_ids": ["x"]]).status == 400)
        #expect(test.post("/users/delete", [:]).status == 400)
        let answer = test.post("/users/delete", ["external_ids": ["u1", "nobody"]])
        #expect(answer.json == ["deleted": 1, "message": "success"])
        let export = test.post(
            "/users/export/ids", ["external_ids": ["u1", "u2"], "fields_to_export": ["external_id"]])
        #expect(export.json["invalid_user_ids"] == ["u1"])
        #expect(export.json["users"] == [["external_id": "u2"]])
        test.track(attributes: [["email": "ann@example.com"]])
        #expect(test.userCount == 2, "the address belongs to nobody any more")
    }

    @Test("42: a delete behind waiting calls does not bring the user back")
    func deleteInOrder() throws {
        let test = try TestSandbox { $0.applyDelayMilliseconds = 50 }
        test.track(attributes: [["external_id": "u1"]])
        test.post("/users/delete", ["external_ids": ["u1"]])
        test.advance(100)
        #expect(test.user("u1") == nil)
    }

    @Test("43: a renamed id resolves until it is removed; a live one cannot be removed")
    func rename() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "plan": "pro"], ["external_id": "u9"]])
        func rename(_ old: String, _ new: String) -> JSONValue {
            test.post(
                "/users/external_ids/rename",
                ["external_id_renames": [["current_external_id": .string(old), "new_external_id": .string(new)]]]
            ).json
        }
        #expect(rename("u1", "u9")["rename_errors"]?.array?.count == 1)
        #expect(rename("u1", "u2")["external_ids"] == ["u2"])
        #expect(test.user("u2")?["custom_attributes"]?["plan"] == "pro")
        test.track(attributes: [["external_id": "u1", "plan": "free"]])
        #expect(test.attribute("u2", "plan") == "free")
        let live = test.post("/users/external_ids/remove", ["external_ids": ["u2"]]).json
        #expect(live["removed_ids"] == [])
        #expect(live["removal_errors"]?.array?.count == 1)
        #expect(test.post("/users/external_ids/remove", ["external_ids": ["u1"]]).json["removed_ids"] == ["u1"])
        #expect(test.user("u1") == nil)
    }

    @Test("the synchronous variant answers with what it wrote")
    func sync() throws {
        let test = try TestSandbox { $0.applyDelayMilliseconds = 50 }
        let answer = test.post(
            "/users/track/sync", ["attributes": [["external_id": "u1", "plan": "pro", "first_name": "Ann"]]])
        #expect(answer.status == 201)
        #expect(
            answer.json["users"] == [["external_id": "u1", "custom_attributes": ["plan": "pro"], "first_name": "Ann"]])
        let event = test.post("/users/track/sync", ["events": [test.event("u1", "Opened")]])
        #expect(event.json["users"]?[0]?["custom_events"]?[0]?["count"] == 1)
        #expect(event.json["users"]?[0]?["custom_attributes"] == nil)
        #expect(
            test.post("/users/track/sync", ["events": [test.event("u1", "A"), test.event("u1", "B")]]).status == 400)
    }

    @Test("the bulk variant: 1,000 objects, errors without an array, No data parsed")
    func bulk() throws {
        let test = try TestSandbox()
        #expect(test.post("/users/track/bulk", ["attributes": []]).message == "No data parsed")
        let objects = (0..<1000).map { JSONValue.object(["external_id": .string("u\($0)")]) }
        #expect(test.post("/users/track/bulk", ["attributes": .array(objects)]).json["attributes_processed"] == 1000)
        #expect(test.post("/users/track/bulk", ["attributes": .array(objects + [["external_id": "x"]])]).status == 400)
        let partial = test.post("/users/track/bulk", ["attributes": [["x": 1], ["external_id": "u1"]]])
        #expect(partial.json["errors"]?[0]?["input_array"] == nil)
        #expect(partial.json["errors"]?[0]?["index"] == 0)
        let one = Array(repeating: JSONValue.object(["external_id": "u1"]), count: 101)
        #expect(test.post("/users/track/bulk", ["attributes": .array(one)]).status == 400)
    }

    @Test("subscription groups: set, shared by address, read back")
    func subscriptions() throws {
        let test = try TestSandbox()
        let group: JSONValue = "0f1e2d3c-0000-4000-8000-0123456789ab"
        test.track(attributes: [
            ["external_id": "u1", "email": "ann@example.com"], ["external_id": "u2", "email": "ann@example.com"],
        ])
        #expect(
            test.post(
                "/subscription/status/set",
                ["subscription_group_id": group, "subscription_state": "subscribed", "external_id": "u1"]
            ).status == 201)
        let query = "subscription_group_id=\(group.string ?? "")&external_id="
        #expect(test.get("/subscription/status/get", query: query + "u1").json["status"] == ["u1": "Subscribed"])
        #expect(test.get("/subscription/status/get", query: query + "u2").json["status"] == ["u2": "Unknown"])
        test.track(attributes: [
            [
                "external_id": "u1",
                "subscription_groups": [["subscription_group_id": group, "subscription_state": "unsubscribed"]],
            ]
        ])
        #expect(test.get("/subscription/status/get", query: query + "u2").json["status"] == ["u2": "Unsubscribed"])
        let v2: JSONValue = [
            "subscription_groups": [
                ["subscription_group_id": group, "subscription_state": "subscribed", "external_ids": ["u2"]]
            ]
        ]
        #expect(test.post("/v2/subscription/status/set", v2).status == 201)
        #expect(
            test.get("/subscription/user/status", query: "external_id=u2").json["users"]?[0]?["subscription_groups"]?[
                0]?["status"] == "subscribed")
        #expect(
            test.post("/subscription/status/set", ["subscription_group_id": group, "subscription_state": "subscribed"])
                .status == 400)
    }
}
