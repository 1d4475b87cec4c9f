"""What synthesised voices say: no sentence twice, so that no voice says the same words in a spot and beside it."""

from typing import Final

Sentence = tuple[str, str]
"""espeak-ng's name of the voice, and the words."""

OF_SPOTS: Final[tuple[Sentence, ...]] = (
    ("en", "Fresh coffee, roasted this morning, and only a short walk from your door."),
    ("en-us", "Now with four more years of guarantee, on every car, at every dealer."),
    ("de", "Jetzt neu in Ihrem Markt: Brot, wie es früher einmal geschmeckt hat."),
    ("fr", "Partez demain, revenez quand vous voulez, le train vous attend."),
    ("es", "El partido empieza a las nueve, y la cena llega antes que el gol."),
    ("it", "Una casa, una luce, un contratto solo: chiamaci oggi stesso."),
    ("en", "Why wait until spring? Our garden tools cut hedges all winter long."),
    ("en-us", "Grandma never measured flour. Neither do we, and nobody has complained."),
    ("de", "Wer früh bucht, liegt später in der Sonne. Reisen ans Mittelmeer ab dreihundert Euro."),
    ("fr", "Ce matelas a dormi dans douze hôtels avant d'arriver chez vous."),
    ("es", "Ahorra en la luz sin apagar nada: cambia de tarifa en dos minutos."),
    ("it", "Il gelato che conoscete da bambini torna in piazza questo sabato."),
    ("en", "Hearing every word again begins with one free test at your chemist."),
    ("en-us", "Switch your phone plan while this song plays, and keep your number."),
    ("de", "Sechs Zylinder, kein Tropfen Benzin: probefahren, staunen, einsteigen."),
    ("fr", "Un sourire neuf commence par une brosse qui compte pour vous."),
    ("es", "Dos zapatos cómodos valen más que cien promesas de verano."),
    ("it", "Piove sul tetto, non nel salotto: finestre su misura da noi."),
    ("en", "Half the sugar, all the crunch, none of the guilt at breakfast."),
    ("en-us", "Lawyers who answer the telephone. Imagine that, twenty-four hours a day."),
    ("de", "Unsere Hühner laufen herum, deshalb schmeckt das Ei nach Ei."),
    ("fr", "Laissez les clés sur le comptoir, nous déménageons même le piano."),
    ("es", "Una hipoteca clara cabe en una sola página; compruébelo."),
    ("it", "Quattro amici, una pizza, zero piatti da lavare stasera."),
)
"""Words of spots, and of programme beside them by the same voices."""

OF_PROGRAMME: Final[tuple[Sentence, ...]] = (
    ("en", "The weather for tomorrow: rain in the west, brighter later, eleven degrees."),
    ("en-us", "And the goalkeeper has it, a long throw, and we go straight up the other end."),
    ("de", "Die Nachrichten: In der Hauptstadt wurde heute über den Haushalt beraten."),
    ("fr", "La circulation est difficile ce soir sur le boulevard périphérique."),
    ("es", "Buenas noches, y gracias por acompañarnos en una nueva edición."),
    ("it", "Il risultato è ancora di zero a zero, mancano venti minuti alla fine."),
    ("en", "Parliament returns on Monday to a question nobody wanted to answer."),
    ("en-us", "Scientists say the river has not been this low since records began."),
    ("de", "Achtung Autofahrer: auf der A sieben liegt ein Gegenstand auf der Fahrbahn."),
    ("fr", "Le musée rouvre ses portes après trois années de travaux."),
    ("es", "Seguimos en directo desde el puerto, donde acaba de llegar el barco."),
    ("it", "Benvenuti alla seconda puntata, dedicata ai mulini del Po."),
    ("en", "Corner kick, taken short, and the whistle goes before it comes in."),
    ("en-us", "Up next, a conversation with the woman who painted the bridge."),
    ("de", "Morgens Nebel, am Nachmittag Sonne, die Temperaturen steigen auf vierzehn Grad."),
    ("fr", "Revenons au stade, où le second set vient de commencer."),
    ("es", "Tras la lluvia de ayer, las carreteras del norte siguen cortadas."),
    ("it", "Passiamo la linea allo studio per gli ultimi aggiornamenti."),
    ("en", "Listeners have been writing to us about owls, and we are grateful."),
    ("en-us", "Markets closed lower today after a quiet morning in Chicago."),
    ("de", "Im zweiten Teil spricht der Regisseur über seine Jahre in Lissabon."),
    ("fr", "Voici maintenant la recette du jour, avec des poireaux et du cidre."),
    ("es", "Quedan diez segundos, balón para las visitantes, tiempo muerto."),
    ("it", "Ascoltiamo adesso il coro, registrato ieri sera in cattedrale."),
)
"""Words of programme only."""
