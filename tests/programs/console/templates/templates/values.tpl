{{ <user: name> }}/{{ <user: address: city> }}/{{ <user: address.city> }}/{{ <user: phone> }}/{{ <user: phone: home> }}.
{{ "Hi " ++ <user: name> ++ "!" }} {{ <price> * <count> }} {{ <price> + 1 }} {{ <price> - 0.5 }} {{ <price> / <zero> }}
{{ <whole> }} {{ <price> }} {{ <count> }} {{ <yes> }} {{ <user: tags> }} {{ <user: address> }}
{{ <user: name> | uppercase }} {{ <user: name> | lowercase }} [{{ <spaced> | trim }}] {{ <note> | markdown }}
{{ <when> | date: "dd.MM.yyyy" }} {{ <when> | date }} {{ <note> | date: "yyyy" }}
{{ <user: tags> | rows }}
{{ <user: name> | bold | color: "red" | sparkle }} {{ "a" ++ <user: name> | uppercase }} a < b & {c}
